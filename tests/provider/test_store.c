/* SPDX-License-Identifier: MIT */
/* The store between the core and a provider: what it refuses, and what it makes of a provider that
 * errs. */
#include "provider/fixture.h"
#include "support/fake_provider.h"

#include <stdio.h>

/* ---- a provider that answers whatever the test wants ---- */

static struct {
    int code;
    struct ses_record record; /* its data is handed out with a reference */
    int closed;
} rogue;

struct rogue_state {
    int64_t number;
};

static int rogue_open(void *self, ses_provider_host *host, const char *config)
{
    (void)self;
    return *config ? ses_provider_fail(host, rogue.code, "bad\nconfig %s\x1b", "text") : SES_OK;
}

static void rogue_close(void *self)
{
    (void)self;
    rogue.closed++;
}

static int hand_out(struct ses_record *ret_record)
{
    *ret_record = rogue.record;
    (void)ses_blob_ref(rogue.record.data);
    return rogue.code;
}

static int rogue_load(void *self, const struct ses_key *key, int64_t now_ms,
                      struct ses_record *ret_record)
{
    (void)self, (void)key, (void)now_ms;
    return hand_out(ret_record);
}

static int rogue_create(void *self, const struct ses_key *key, int64_t now_ms,
                        const struct ses_owner *owner, const struct ses_record *record)
{
    (void)self, (void)key, (void)now_ms, (void)owner, (void)record;
    return rogue.code;
}

static int rogue_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                      const struct ses_record *record, struct ses_record *ret_winner)
{
    (void)self, (void)key, (void)now_ms, (void)expected, (void)record;
    return hand_out(ret_winner);
}

static int rogue_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                       int64_t expires_ms)
{
    (void)self, (void)key, (void)now_ms, (void)expected, (void)expires_ms;
    return rogue.code;
}

static int rogue_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    (void)self, (void)key, (void)now_ms;
    return rogue.code;
}

static int rogue_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    const struct ses_key key = { { 0 } };
    (void)self, (void)now_ms;
    int r = fn(arg, &key, &rogue.record);
    return r ? r : rogue.code;
}

static const struct ses_provider_ops complete = {
    .size = sizeof complete,
    .abi = SES_PROVIDER_ABI,
    .flags = SES_PROVIDER_EXPIRES,
    .name = "rogue_1",
    .instance_size = sizeof(struct rogue_state),
    .open = rogue_open,
    .close = rogue_close,
    .load = rogue_load,
    .create = rogue_create,
    .save = rogue_save,
    .touch = rogue_touch,
    .destroy = rogue_destroy,
    .iterate = rogue_iterate,
};

/* ---- what the store tells others ---- */

static struct {
    int failures;
    int last_code;
    char line[400];
    enum ses_log_level level;
} told;

static void on_failure(void *arg, int code)
{
    (void)arg;
    told.failures++;
    told.last_code = code;
}

static void on_log(void *arg, enum ses_log_level level, const char *message)
{
    (void)arg;
    told.level = level;
    (void)snprintf(told.line, sizeof told.line, "%s", message);
}

static const struct store_hooks hooks = { .log = on_log, .failure = on_failure };
static const struct ses_key key = { { 1, 2, 3 } };

static int setup(void **state)
{
    struct store *store = NULL;
    memset(&rogue, 0, sizeof rogue);
    memset(&told, 0, sizeof told);
    rogue.record = make_record(SLICE("alpha"), 1000);
    assert_ok(store_prepare(&complete, &hooks, &store));
    assert_ok(store_open(store, NULL));
    *state = store;
    return 0;
}

static int teardown(void **state)
{
    store_close(*state);
    drop_record(&rogue.record);
    return 0;
}

/* ---- refused at the door ---- */

static void provider_without_a_required_operation_is_refused(void **state)
{
    (void)state;
    assert_ok(store_check_ops(&complete));
    assert_ok(store_check_ops(&ses_provider_fake));
    assert_code(store_check_ops(NULL), SES_ERR_INVALID);
#define WITHOUT(slot)                                                                              \
 do {                                                                                              \
  struct ses_provider_ops ops = complete;                                                          \
  ops.slot = NULL;                                                                                 \
  assert_code(store_check_ops(&ops), SES_ERR_INVALID);                                             \
 } while (0)
    WITHOUT(open);
    WITHOUT(close);
    WITHOUT(load);
    WITHOUT(create);
    WITHOUT(save);
    WITHOUT(touch);
    WITHOUT(destroy);
    WITHOUT(name);
#undef WITHOUT
}

static void provider_that_neither_collects_nor_expires_is_refused(void **state)
{
    (void)state;
    struct ses_provider_ops ops = complete;
    ops.flags = 0;
    assert_code(store_check_ops(&ops), SES_ERR_INVALID);
    ops.gc = ses_provider_fake.gc;
    assert_ok(store_check_ops(&ops));
}

static void provider_of_another_abi_is_refused(void **state)
{
    (void)state;
    struct ses_provider_ops ops = complete;
    ops.abi = SES_PROVIDER_ABI + 1;
    assert_code(store_check_ops(&ops), SES_ERR_ABI);
    ops = complete;
    ops.size = offsetof(struct ses_provider_ops, ping);
    assert_code(store_check_ops(&ops), SES_ERR_ABI);
    ops.size = 0;
    assert_code(store_check_ops(&ops), SES_ERR_ABI);
}

static int load_within(void *self, void *connection, const struct ses_key *any, int64_t now_ms,
                       struct ses_record *ret_record)
{
    (void)self, (void)connection, (void)any, (void)now_ms, (void)ret_record;
    return SES_ERR_NOT_FOUND;
}

static void provider_that_knows_transactions_by_half_is_refused(void **state)
{
    (void)state;
    struct ses_provider_ops ops = complete;
    ops.load_within = load_within;
    assert_code(store_check_ops(&ops), SES_ERR_INVALID);
}

static void provider_built_before_transactions_has_none(void **state)
{
    (void)state;
    struct ses_provider_ops ops = complete;
    struct ses_record record = { 0 };
    struct store *store = NULL;
    ops.load_within = load_within; /* beyond its size: bytes of something else */
    ops.size = offsetof(struct ses_provider_ops, load_within);
    assert_ok(store_prepare(&ops, &hooks, &store));
    assert_ok(store_open(store, NULL));
    assert_code(store_load_within(store, store, &key, 0, &record), SES_ERR_UNSUPPORTED);
    assert_code(store_create_within(store, store, &key, 0, &rogue.record), SES_ERR_UNSUPPORTED);
    assert_code(store_save_within(store, store, &key, 0, 1, &rogue.record), SES_ERR_UNSUPPORTED);
    store_close(store);
}

static void provider_whose_name_is_not_plain_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "", "Memory", "my-sql", "../redis", "a b", "caf\xc3\xa9" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct ses_provider_ops ops = complete;
        ops.name = names[i];
        assert_code(store_check_ops(&ops), SES_ERR_INVALID);
    }
}

static void setting_that_lies_outside_the_instance_is_refused(void **state)
{
    (void)state;
    struct ses_setting settings[] = { { .name = "n", .type = SES_SETTING_INT }, { 0 } };
    struct ses_provider_ops ops = complete;
    ops.settings = settings;
    assert_ok(store_check_ops(&ops));
    settings[0].offset = 1;
    assert_code(store_check_ops(&ops), SES_ERR_INVALID);
    settings[0].offset = SIZE_MAX - 4;
    assert_code(store_check_ops(&ops), SES_ERR_INVALID);
    settings[0] = (struct ses_setting){ .name = "n", .type = SES_SETTING_CHOICE };
    assert_code(store_check_ops(&ops), SES_ERR_INVALID);
}

static void arguments_that_break_the_contract_never_reach_a_provider(void **state)
{
    struct ses_record winner = { 0 }, good = rogue.record, bad = rogue.record;
    bad.version = 0;
    assert_code(store_create(*state, &key, 0, NULL, &bad), SES_ERR_INVALID);
    assert_code(store_save(*state, &key, 0, 1, &bad, &winner), SES_ERR_INVALID);
    bad = good;
    bad.data = NULL;
    assert_code(store_create(*state, &key, 0, NULL, &bad), SES_ERR_INVALID);
    bad = good;
    bad.kind = (enum ses_kind)5;
    assert_code(store_create(*state, &key, 0, NULL, &bad), SES_ERR_INVALID);
    assert_code(store_save(*state, &key, 0, 0, &good, &winner), SES_ERR_INVALID);
    assert_code(store_touch(*state, &key, 0, 0, 1), SES_ERR_INVALID);
    assert_int_equal(told.failures, 0);
}

/* ---- what a provider answers ---- */

static void assert_load_is_corrupt(struct store *store)
{
    struct ses_record record = { 0 };
    const int before = told.failures;
    assert_code(store_load(store, &key, 0, &record), SES_ERR_CORRUPT);
    assert_null(record.data);
    assert_int_equal(told.failures, before + 1);
    assert_int_equal(told.last_code, SES_ERR_CORRUPT);
}

static void record_without_data_version_or_kind_is_corrupt(void **state)
{
    struct ses_record good = rogue.record;
    rogue.record.version = 0;
    assert_load_is_corrupt(*state);
    rogue.record = good;
    rogue.record.kind = (enum ses_kind)0;
    assert_load_is_corrupt(*state);
    rogue.record.kind = (enum ses_kind)5;
    assert_load_is_corrupt(*state);
    rogue.record.data = NULL;
    rogue.record.kind = SES_KIND_SESSION;
    assert_load_is_corrupt(*state);
    rogue.record = good;

    struct ses_record record = { 0 };
    assert_ok(store_load(*state, &key, 0, &record));
    drop_record(&record);
}

static void winner_without_version_is_corrupt(void **state)
{
    struct ses_record winner = { 0 }, good = rogue.record;
    rogue.code = SES_ERR_CONFLICT;
    rogue.record.version = 0;
    assert_code(store_save(*state, &key, 0, 1, &good, &winner), SES_ERR_CORRUPT);
    assert_null(winner.data);
    rogue.record = good;
    assert_code(store_save(*state, &key, 0, 1, &good, &winner), SES_ERR_CONFLICT);
    assert_int_equal(winner.version, good.version);
    drop_record(&winner);
}

static void code_that_an_operation_does_not_have_is_corrupt(void **state)
{
    static const int codes[] = { 1, 4711, -50, -99, -107, INT32_MIN, SES_ERR_GONE };
    struct ses_record winner = { 0 };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct ses_record good = rogue.record;
        rogue.record.data = NULL; /* what it does not answer with, it does not hand out */
        rogue.code = codes[i];
        assert_load_is_corrupt(*state);
        assert_code(store_create(*state, &key, 0, NULL, &good), SES_ERR_CORRUPT);
        assert_code(store_save(*state, &key, 0, 1, &good, &winner), SES_ERR_CORRUPT);
        assert_code(store_touch(*state, &key, 0, 1, 1), SES_ERR_CORRUPT);
        assert_code(store_destroy(*state, &key, 0), SES_ERR_CORRUPT);
        rogue.record = good;
    }
    assert_string_equal(told.line,
                        "rogue_1: destroy answered -4, which its contract does not have");
}

static void failure_is_told_once_and_an_outcome_is_not(void **state)
{
    struct ses_record winner = { 0 };
    const struct ses_record record = rogue.record;
    uint64_t count = 0;
    struct ses_key user = key;
    rogue.code = SES_ERR_UNAVAILABLE;
    rogue.record.data = NULL;
    assert_code(store_load(*state, &key, 0, &winner), SES_ERR_UNAVAILABLE);
    assert_int_equal(told.failures, 1);
    assert_int_equal(told.last_code, SES_ERR_UNAVAILABLE);
    rogue.code = SES_ERR_NOT_FOUND;
    assert_code(store_load(*state, &key, 0, &winner), SES_ERR_NOT_FOUND);
    rogue.code = SES_ERR_FULL;
    assert_code(store_create(*state, &key, 0, NULL, &record), SES_ERR_FULL);
    assert_code(store_count(*state, 0, &count), SES_ERR_UNSUPPORTED);
    assert_code(store_list(*state, &user, 0, note_sighting, &user), SES_ERR_UNSUPPORTED);
    assert_int_equal(told.failures, 1);
    rogue.record = record;
}

static void what_is_left_out_has_a_harmless_answer(void **state)
{
    struct ses_gc_step step = { .removed = 9, .more = true };
    assert_ok(store_ping(*state));
    assert_ok(store_gc(*state, 0, 0, &step));
    assert_int_equal(step.removed, 0);
    assert_false(step.more);
}

static int answer_with(void *arg, const struct ses_key *seen, const struct ses_record *record)
{
    const int *code = arg;
    (void)seen;
    (void)record;
    return *code;
}

static void walk_returns_the_callers_own_number_and_no_rotten_record(void **state)
{
    int mine = SES_ERR_UNAVAILABLE;
    assert_code(store_iterate(*state, 0, answer_with, &mine), SES_ERR_UNAVAILABLE);
    mine = 17;
    assert_int_equal(store_iterate(*state, 0, answer_with, &mine), 17);
    assert_int_equal(told.failures, 0);
    mine = 0;
    rogue.code = 17; /* not the caller's */
    assert_code(store_iterate(*state, 0, answer_with, &mine), SES_ERR_CORRUPT);
    rogue.code = 0;
    rogue.record.version = 0;
    assert_code(store_iterate(*state, 0, answer_with, &mine), SES_ERR_CORRUPT);
    assert_int_equal(told.failures, 2);
}

/* ---- opening and closing ---- */

static void provider_that_does_not_open_is_closed_and_its_line_is_one_line(void **state)
{
    (void)state;
    struct store *store = NULL;
    rogue.code = SES_ERR_INVALID;
    assert_ok(store_prepare(&complete, &hooks, &store));
    assert_code(store_open(store, "x"), SES_ERR_INVALID);
    assert_string_equal(told.line, "rogue_1: bad?config text?");
    assert_int_equal(told.level, SES_LOG_ERROR);
    store_close(store);
    assert_int_equal(rogue.closed, 1);
}

static void store_that_was_never_opened_is_not_closed_by_its_provider(void **state)
{
    (void)state;
    struct store *store = NULL;
    assert_ok(store_prepare(&complete, &hooks, &store));
    store_close(store);
    store_close(NULL);
    assert_int_equal(rogue.closed, 0);
}

/* ---- the fake's own means ---- */

static void fake_fails_the_call_it_is_told_to_with_or_without_the_act(void **state)
{
    struct ses_record record = { 0 };
    struct store *store = NULL;
    (void)state;
    fake_provider_reset();
    assert_ok(store_prepare(&ses_provider_fake, &hooks, &store));
    assert_ok(store_open(store, NULL));

    fake_provider_fail_call(FAKE_CREATE, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(store_create(store, &key, 0, NULL, &rogue.record), SES_ERR_UNAVAILABLE);
    assert_code(store_load(store, &key, 0, &record), SES_ERR_NOT_FOUND);
    fake_provider_fail_call(FAKE_CREATE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    assert_code(store_create(store, &key, 0, NULL, &rogue.record), SES_ERR_UNAVAILABLE);
    fake_provider_fail_call(FAKE_LOAD, 2, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    assert_ok(store_load(store, &key, 0, &record));
    drop_record(&record);
    assert_code(store_load(store, &key, 0, &record), SES_ERR_UNAVAILABLE);
    assert_int_equal(fake_provider_control()->calls[FAKE_CREATE], 2);
    assert_int_equal(fake_provider_control()->calls[FAKE_LOAD], 3);
    store_close(store);
    fake_provider_reset();
}

static void destroy_before(void *arg, enum fake_op op, const struct ses_key *at)
{
    if (op == FAKE_SAVE)
        assert_ok(store_destroy(arg, at, 0));
}

static void fake_lets_another_act_just_before_a_call(void **state)
{
    struct ses_record winner = { 0 };
    struct store *store = NULL;
    (void)state;
    fake_provider_reset();
    assert_ok(store_prepare(&ses_provider_fake, &hooks, &store));
    assert_ok(store_open(store, NULL));
    assert_ok(store_create(store, &key, 0, NULL, &rogue.record));
    fake_provider_control()->before = destroy_before;
    fake_provider_control()->before_arg = store;
    assert_code(store_save(store, &key, 0, rogue.record.version, &rogue.record, &winner),
                SES_ERR_NOT_FOUND);
    assert_int_equal(fake_provider_control()->calls[FAKE_DESTROY], 0);
    store_close(store);
    fake_provider_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORE_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        STORE_CASE(provider_without_a_required_operation_is_refused),
        STORE_CASE(provider_that_neither_collects_nor_expires_is_refused),
        STORE_CASE(provider_of_another_abi_is_refused),
        STORE_CASE(provider_that_knows_transactions_by_half_is_refused),
        STORE_CASE(provider_built_before_transactions_has_none),
        STORE_CASE(provider_whose_name_is_not_plain_is_refused),
        STORE_CASE(setting_that_lies_outside_the_instance_is_refused),
        STORE_CASE(arguments_that_break_the_contract_never_reach_a_provider),
        STORE_CASE(record_without_data_version_or_kind_is_corrupt),
        STORE_CASE(winner_without_version_is_corrupt),
        STORE_CASE(code_that_an_operation_does_not_have_is_corrupt),
        STORE_CASE(failure_is_told_once_and_an_outcome_is_not),
        STORE_CASE(what_is_left_out_has_a_harmless_answer),
        STORE_CASE(walk_returns_the_callers_own_number_and_no_rotten_record),
        STORE_CASE(provider_that_does_not_open_is_closed_and_its_line_is_one_line),
        STORE_CASE(store_that_was_never_opened_is_not_closed_by_its_provider),
        STORE_CASE(fake_fails_the_call_it_is_told_to_with_or_without_the_act),
        STORE_CASE(fake_lets_another_act_just_before_a_call),
#undef STORE_CASE
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
