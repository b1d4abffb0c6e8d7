/* SPDX-License-Identifier: MIT */
#include "provider/fixture.h"

#include <time.h>
#include <unistd.h>

const struct ses_conformance *fixture_subject;

/* ---- life time ---- */

struct store *open_store(const struct ses_conformance *subject)
{
    const struct store_hooks silent = { 0 };
    struct store *store = NULL;
    assert_ok(store_prepare(subject->ops, &silent, &store));
    if (subject->settings)
        subject->settings(store_instance(store));
    assert_ok(store_open(store, subject->provider_config));
    return store;
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    f->subject = fixture_subject;
    f->store = open_store(f->subject);
    f->now = present_ms();
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    free(f);
    return 0;
}

/* ---- time ---- */

int64_t present_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pass_until(struct fixture *f, int64_t time_ms)
{
    const int64_t late_ms = f->subject->own_clock_ms;
    const struct timespec nap = { .tv_nsec = 20000000 };
    while (late_ms > 0 && present_ms() < time_ms + late_ms)
        (void)nanosleep(&nap, NULL);
    f->now = late_ms > 0 ? present_ms() : time_ms;
}

/* ---- random numbers: of good spread, and others in the next run ---- */

static uint64_t next_random(void)
{
    static atomic_uint_fast64_t drawn;
    static atomic_uint_fast64_t salt;
    if (atomic_load(&salt) == 0) {
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        atomic_store(&salt,
                     (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec << 20 ^ (uint64_t)getpid());
    }
    uint64_t x = atomic_load(&salt) + (atomic_fetch_add(&drawn, 1) + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

struct ses_key new_key(void)
{
    struct ses_key key;
    for (size_t i = 0; i < SES_KEY_BYTES; i += sizeof(uint64_t)) {
        const uint64_t x = next_random();
        memcpy(key.bytes + i, &x, sizeof x);
    }
    return key;
}

uint64_t new_version(void)
{
    const uint64_t version = next_random();
    return version ? version : 1;
}

/* ---- records ---- */

struct ses_record make_record(struct ses_slice bytes, int64_t expires_ms)
{
    ses_blob *data = ses_blob_new(bytes);
    assert_non_null(data);
    return (struct ses_record){ data, new_version(), expires_ms, SES_KIND_SESSION };
}

static struct ses_record make_text(const char *text, int64_t expires_ms)
{
    return make_record((struct ses_slice){ text, strlen(text) }, expires_ms);
}

void drop_record(struct ses_record *record)
{
    record->data = ses_blob_unref(record->data);
}

uint64_t put_until(struct fixture *f, const struct ses_key *key, const char *text,
                   int64_t expires_ms)
{
    struct ses_record record = make_text(text, expires_ms);
    assert_ok(store_create(f->store, key, f->now, NULL, &record));
    drop_record(&record);
    return record.version;
}

uint64_t put(struct fixture *f, const struct ses_key *key, const char *text)
{
    return put_until(f, key, text, f->now + LIFE_MS);
}

int create_kind(struct fixture *f, const struct ses_key *key, const struct ses_key *user,
                uint32_t limit, enum ses_kind kind)
{
    const struct ses_owner owner = { *user, limit };
    struct ses_record record = make_text("owned", f->now + LIFE_MS);
    record.kind = kind;
    int r = store_create(f->store, key, f->now, &owner, &record);
    drop_record(&record);
    return r;
}

int create_owned(struct fixture *f, const struct ses_key *key, const struct ses_key *user,
                 uint32_t limit)
{
    return create_kind(f, key, user, limit, SES_KIND_SESSION);
}

int save_as(struct fixture *f, const struct ses_key *key, uint64_t expected, const char *text,
            enum ses_kind kind)
{
    struct ses_record winner = { 0 }, record = make_text(text, f->now + LIFE_MS);
    record.kind = kind;
    int r = store_save(f->store, key, f->now, expected, &record, &winner);
    drop_record(&winner);
    drop_record(&record);
    return r;
}

void assert_loads(struct fixture *f, const struct ses_key *key, const char *text, uint64_t version,
                  int64_t expires_ms)
{
    struct ses_record record = { 0 };
    assert_ok(store_load(f->store, key, f->now, &record));
    const struct ses_slice bytes = ses_blob_bytes(record.data);
    assert_int_equal(bytes.len, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.len);
    assert_int_equal(record.version, version);
    assert_int_equal(record.expires_ms, expires_ms);
    drop_record(&record);
}

void assert_absent(struct fixture *f, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(f->store, key, f->now, &record);
    if (r == SES_OK) { /* what has expired may be handed over */
        assert_true(record.expires_ms <= f->now);
        drop_record(&record);
        return;
    }
    assert_code(r, SES_ERR_NOT_FOUND);
    assert_null(record.data);
}

int note_sighting(void *arg, const struct ses_key *key, const struct ses_record *record)
{
    struct sighting *sighting = arg;
    (void)record;
    if (ses_key_equal(key, sighting->key))
        sighting->seen++;
    else
        sighting->others++;
    return 0;
}

/* ---- threads ---- */

struct runner {
    pthread_t thread;
    pthread_barrier_t *start;
    void *(*body)(void *);
    void *arg;
};

static void *run(void *arg)
{
    const struct runner *runner = arg;
    (void)pthread_barrier_wait(runner->start);
    return runner->body(runner->arg);
}

void run_together(void *(*body)(void *), void *args, size_t arg_size, size_t count)
{
    struct runner runners[THREADS_MAX];
    pthread_barrier_t start;

    assert_true(count <= THREADS_MAX);
    assert_int_equal(pthread_barrier_init(&start, NULL, (unsigned)count), 0);
    for (size_t i = 0; i < count; i++) {
        runners[i] = (struct runner){ .start = &start, .body = body };
        runners[i].arg = (unsigned char *)args + i * arg_size;
        assert_int_equal(pthread_create(&runners[i].thread, NULL, run, &runners[i]), 0);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(runners[i].thread, NULL), 0);
    (void)pthread_barrier_destroy(&start);
}

uint32_t torture_rounds(const struct fixture *f, uint32_t preset)
{
    const char *asked = getenv("SESAME_TORTURE_ROUNDS");
    if (asked)
        return (uint32_t)strtoul(asked, NULL, 10);
    return f->subject->rounds ? f->subject->rounds : preset;
}
