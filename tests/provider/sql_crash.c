/* SPDX-License-Identifier: MIT */
/* Processes that die in the middle of writing, a thousand times. */
#include "provider/sql_storm.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_MOST = 6000 };

static struct sql_shop shop;

/* What a writer has told before it was killed; shared memory, so that it outlives it. */
struct told {
    uint64_t started; /* the last version whose save began */
    uint64_t done;    /* the last one that was acknowledged */
    uint64_t ended;   /* 1: the destroy began, 2: it was acknowledged */
    uint64_t writes;
};

static struct told *shared(void)
{
    void *memory =
        mmap(NULL, sizeof(struct told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

/* Of one byte and a length that its version gives, so that a mixture of two is seen. */
static struct ses_record record_of(uint64_t version)
{
    static unsigned char bytes[RECORD_MOST];
    const size_t len = 100 + version * 37 % (200 + version * 5 % 5000);
    memset(bytes, (int)(version % 251), len);
    return (struct ses_record){ ses_blob_new((struct ses_slice){ bytes, len }), version,
                                shop.f.now + LIFE_MS, SES_KIND_SESSION };
}

static int save_version(const struct ses_key *key, uint64_t expected, uint64_t version)
{
    struct ses_record winner = { 0 }, record = record_of(version);
    const int r = store_save(shop.f.store, key, shop.f.now, expected, &record, &winner);
    (void)ses_blob_unref(winner.data);
    (void)ses_blob_unref(record.data);
    return r;
}

static void assert_whole(const struct ses_record *record)
{
    const struct ses_record expected = record_of(record->version);
    const struct ses_slice is = ses_blob_bytes(record->data);
    const struct ses_slice should = ses_blob_bytes(expected.data);
    assert_int_equal(is.len, should.len);
    assert_memory_equal(is.data, should.data, is.len);
    (void)ses_blob_unref(expected.data);
}

static void write_until_killed(const struct ses_key *key, volatile struct told *told,
                               unsigned round)
{
    if (store_ping(shop.f.store) != SES_OK) /* connects */
        _exit(2);
    for (uint64_t version = 2;; version++) {
        told->started = version;
        if (save_version(key, version - 1, version) != SES_OK)
            _exit(3);
        told->done = version;
        told->writes++;
        if (round % 4 == 3 && version % 8 == 7) {
            told->ended = 1;
            if (store_destroy(shop.f.store, key, shop.f.now) != SES_OK)
                _exit(4);
            told->ended = 2;
            (void)pause();
        }
    }
}

/* At a moment of no special kind, once it has begun to write. */
static void kill_after(pid_t child, const volatile struct told *told, unsigned round)
{
    const struct timespec nap = { .tv_nsec = round * 7919u % 3000u * 1000u };
    int status = 0;
    while (told->started < 2 && waitpid(child, &status, WNOHANG) == 0)
        ;
    (void)nanosleep(&nap, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        fail_msg("the writer ended with %d", WEXITSTATUS(status));
}

/* Acknowledged is there; what was under way is there as a whole or not at all. */
static void assert_survives(const struct ses_key *key, const struct told *told)
{
    struct ses_record record = { 0 };
    const int r = store_load(shop.f.store, key, shop.f.now, &record);
    if (told->ended == 2 || (told->ended == 1 && r != SES_OK)) {
        assert_code(r, SES_ERR_NOT_FOUND);
        assert_code(save_version(key, told->done, told->done + 1), SES_ERR_NOT_FOUND);
        return;
    }
    assert_ok(r);
    assert_whole(&record);
    assert_true(record.version == told->done || record.version == told->started);
    assert_ok(save_version(key, record.version, told->started + 1));
    drop_record(&record);
}

static void begin(const struct ses_key *key, struct told *told)
{
    const struct ses_key user = new_key();
    const struct ses_owner owner = { user, 1 };
    struct ses_record record = record_of(1);
    assert_ok(store_create(shop.f.store, key, shop.f.now, &owner, &record));
    drop_record(&record);
    *told = (struct told){ .started = 1, .done = 1, .writes = told->writes };
}

void killed_writer_loses_nothing_tears_nothing_and_brings_nothing_back(void **state)
{
    (void)state;
    struct told *told = shared();
    assert_ok(sql_storm_open(&shop));
    const char *asked = getenv("SESAME_TORTURE_ROUNDS");
    const unsigned rounds = asked ? (unsigned)strtoul(asked, NULL, 10) : 1000;
    unsigned ended = 0;
    for (unsigned round = 0; round < rounds; round++) {
        const struct ses_key key = new_key();
        begin(&key, told);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_until_killed(&key, told, round);
        kill_after(child, told, round);
        if (sql_subject.settle)
            sql_subject.settle();
        assert_survives(&key, told);
        ended += told->ended == 2;
    }
    (void)printf("# %u killed, after %llu writes and %u ends\n", rounds,
                 (unsigned long long)told->writes, ended);
    assert_int_equal(shop.lines, 0);
    if (sql_subject.check)
        sql_subject.check();
    sql_shop_close(&shop);
    (void)munmap(told, sizeof *told);
}
