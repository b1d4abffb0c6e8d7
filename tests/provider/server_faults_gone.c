/* SPDX-License-Identifier: MIT */
/* The server is gone, and comes back; or it stands still. */
#include "provider/server_faults.h"
#include "shared/circuit.h"
#include "shared/deadline.h"

#include <signal.h>

/* ---- the process's own signals ---- */

static volatile sig_atomic_t pipes;

static void count_pipe(int signal)
{
    (void)signal;
    pipes++;
}

static void save_while_the_server_dies(struct fault_shop *shop)
{
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    fault_subject->kill(fault_subject->server);
    assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    (void)fault_load(&shop->f, &key);
    fault_restart();
    fault_load_until(&shop->f, &key,
                     fault_subject->traits & FAULT_KEEPS ? SES_OK : SES_ERR_NOT_FOUND);
}

/* The connection ends while a long record is being written. */
static void create_large_while_it_ends(void)
{
    const struct ses_key key = new_key();
    unsigned char *bytes = calloc(1, fault_subject->large_bytes);
    assert_non_null(bytes);
    struct fault_shop *shop = fault_open_by_proxy();
    struct ses_record record =
        make_record((struct ses_slice){ bytes, fault_subject->large_bytes }, shop->f.now + LIFE_MS);
    proxy_set(&fault_proxy, PROXY_HANG_UP, 0);
    assert_code(store_create(shop->f.store, &key, shop->f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    proxy_set(&fault_proxy, PROXY_NONE, 0);
    fault_set_budget(shop, 20000); /* so much of it takes its time */
    assert_ok(store_create(shop->f.store, &key, shop->f.now, NULL, &record));
    assert_ok(fault_load(&shop->f, &key));
    drop_record(&record);
    fault_close(shop);
    free(bytes);
}

/* The first of all: a client library may set the signal when it begins, and only then. */
static void dead_connections_raise_no_signal_and_leave_its_settings_alone(void **state)
{
    (void)state;
    struct sigaction ours = { .sa_handler = count_pipe }, before, after;
    assert_int_equal(sigaction(SIGPIPE, &ours, &before), 0);
    struct fault_shop *shop = fault_open_direct();
    for (int i = 0; i < 5; i++)
        save_while_the_server_dies(shop);
    create_large_while_it_ends();
    fault_subject->kill(fault_subject->server);
    fault_close(shop); /* says goodbye to nobody */
    fault_restart();
    assert_int_equal(sigaction(SIGPIPE, &before, &after), 0);
    assert_true(after.sa_handler == count_pipe);
    assert_int_equal(pipes, 0);
}

/* ---- gone, and back ---- */

static void assert_nothing_answers(struct fault_shop *shop, const struct ses_key *key,
                                   uint64_t version, const struct ses_key *next)
{
    struct fixture *f = &shop->f;
    struct ses_record record = make_record(SLICE("beta"), f->now + LIFE_MS);
    assert_code(fault_load(f, key), SES_ERR_UNAVAILABLE);
    assert_code(store_create(f->store, next, f->now, NULL, &record), SES_ERR_UNAVAILABLE);
    assert_code(save_as(f, key, version, "beta", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    assert_code(store_touch(f->store, key, f->now, version, f->now + 2 * LIFE_MS),
                SES_ERR_UNAVAILABLE);
    assert_code(store_destroy(f->store, key, f->now), SES_ERR_UNAVAILABLE);
    assert_code(store_ping(f->store), SES_ERR_UNAVAILABLE);
    drop_record(&record);
}

/* @p code: what there is after all of a record that was stored before. @return its version. */
static uint64_t kill_and_restart(struct fault_shop *shop, const struct ses_key *key, int code)
{
    const struct ses_key next = new_key();
    const uint64_t version = put(&shop->f, key, "alpha");
    fault_subject->kill(fault_subject->server);
    assert_nothing_answers(shop, key, version, &next);
    fault_restart();
    fault_load_until(&shop->f, key, code);
    (void)put(&shop->f, &next, "gamma"); /* the create that failed left nothing behind */
    assert_ok(fault_load(&shop->f, &next));
    assert_ok(store_ping(shop->f.store));
    return version;
}

static void killed_server_is_unavailable_and_keeps_all_when_it_is_back(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_direct();
    const struct ses_key key = new_key();
    const uint64_t version = kill_and_restart(shop, &key, SES_OK);
    assert_loads(&shop->f, &key, "alpha", version, shop->f.now + LIFE_MS);
    assert_ok(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION));
    fault_close(shop);
}

static void killed_server_is_unavailable_and_has_forgotten_all_after_its_restart(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_direct();
    const struct ses_key key = new_key();
    const uint64_t version = kill_and_restart(shop, &key, SES_ERR_NOT_FOUND);
    assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_NOT_FOUND);
    fault_close(shop);
}

/* ---- standing still ---- */

static void frozen_server_is_answered_for_within_the_budget(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_direct();
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    fault_subject->freeze(fault_subject->server);
    int64_t before = monotonic_ms();
    assert_code(fault_load(&shop->f, &key), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, FAULT_BUDGET_MS / 4,
                    FAULT_BUDGET_MS / 2 + FAULT_SLACK_MS);
    before = monotonic_ms(); /* connects anew */
    assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, FAULT_BUDGET_MS / 4,
                    FAULT_BUDGET_MS / 2 + FAULT_SLACK_MS);
    fault_subject->thaw(fault_subject->server);
    fault_load_until(&shop->f, &key, SES_OK);
    fault_close(shop);
}

struct caller {
    struct fault_shop *shop;
    int code;
    int64_t took_ms;
};

static void *load_one(void *arg)
{
    struct caller *caller = arg;
    const struct ses_key key = new_key();
    const int64_t before = monotonic_ms();
    caller->code = fault_load(&caller->shop->f, &key);
    caller->took_ms = monotonic_ms() - before;
    return NULL;
}

static void who_waits_for_a_connection_waits_within_the_budget_too(void **state)
{
    enum { CALLERS = 6 };
    struct caller callers[CALLERS];
    (void)state;
    struct fault_shop *shop = fault_open_with_pool(2);
    fault_set_budget(shop, 600);
    for (int i = 0; i < CALLERS; i++)
        callers[i] = (struct caller){ .shop = shop };
    fault_subject->freeze(fault_subject->server);
    run_together(load_one, callers, sizeof *callers, CALLERS);
    fault_subject->thaw(fault_subject->server);
    for (int i = 0; i < CALLERS; i++) {
        assert_code(callers[i].code, SES_ERR_UNAVAILABLE);
        assert_in_range(callers[i].took_ms, 0, 300 + FAULT_SLACK_MS);
    }
    fault_close(shop);
}

static void lost_server_is_told_once_and_calls_fail_at_once_until_it_is_back(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_direct();
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "alpha");
    fault_set_budget(shop, 600);
    fault_subject->freeze(fault_subject->server);
    for (int i = 0; i < CIRCUIT_FAILURES; i++)
        assert_code(fault_load(&shop->f, &key), SES_ERR_UNAVAILABLE);
    assert_int_equal(shop->lost, 1);
    /* Far more calls than would fit if each of them waited. */
    const int64_t before = monotonic_ms();
    for (int i = 0; i < 1000; i++)
        assert_code(fault_load(&shop->f, &key), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, 0, 2000);
    assert_int_equal(shop->lost, 1);
    assert_int_equal(shop->back, 0);
    fault_subject->thaw(fault_subject->server);
    fault_load_until(&shop->f, &key, SES_OK);
    assert_int_equal(shop->back, 1);
    fault_close(shop);
}

const struct CMUnitTest server_faults_gone[] = {
    FAULT(dead_connections_raise_no_signal_and_leave_its_settings_alone),
    FAULT_FOR(killed_server_is_unavailable_and_keeps_all_when_it_is_back, FAULT_KEEPS),
    FAULT_FOR(killed_server_is_unavailable_and_has_forgotten_all_after_its_restart, FAULT_FORGETS),
    FAULT(frozen_server_is_answered_for_within_the_budget),
    FAULT(who_waits_for_a_connection_waits_within_the_budget_too),
    FAULT(lost_server_is_told_once_and_calls_fail_at_once_until_it_is_back),
    { 0 },
};
