/* SPDX-License-Identifier: MIT */
/* The server answers half, slowly, or what it did not say. */
#include "provider/server_faults.h"
#include "shared/deadline.h"

static unsigned next_in(const struct fault_sweep *sweep, unsigned n)
{
    return n + (n < sweep->dense ? 1 : sweep->step);
}

/* ---- cut ---- */

/* What calls on a record answered while answers were cut. */
struct cycle {
    int loaded, saved, touched, saved_late;
    bool mixed_up; /* it loaded something that nobody stored */
};

static struct cycle run_cycle(struct fixture *f, const struct ses_key *key, uint64_t version)
{
    struct cycle cycle = { 0 };
    struct ses_record record = { 0 };
    cycle.loaded = store_load(f->store, key, f->now, &record);
    if (cycle.loaded == SES_OK) {
        const struct ses_slice bytes = ses_blob_bytes(record.data);
        cycle.mixed_up = bytes.len != 4 || memcmp(bytes.data, "even", 4) != 0;
    }
    drop_record(&record);
    cycle.saved = save_as(f, key, version, "odds", SES_KIND_SESSION);
    cycle.touched = store_touch(f->store, key, f->now, version, f->now + LIFE_MS + 1);
    cycle.saved_late = save_as(f, key, 1, "late", SES_KIND_SESSION);
    return cycle;
}

static bool known_or_unknown(int code)
{
    return code == SES_OK || code == SES_ERR_UNAVAILABLE || code == SES_ERR_CONFLICT;
}

static void assert_cycle(const struct cycle *cycle)
{
    assert_false(cycle->mixed_up);
    assert_true(cycle->loaded == SES_OK || cycle->loaded == SES_ERR_UNAVAILABLE);
    assert_true(known_or_unknown(cycle->saved));
    assert_true(known_or_unknown(cycle->touched));
    assert_true(cycle->saved_late == SES_ERR_UNAVAILABLE || cycle->saved_late == SES_ERR_CONFLICT);
}

static void answers_that_are_cut_after_any_byte_are_never_served(void **state)
{
    (void)state;
    const struct fault_sweep *cuts = &fault_subject->cuts;
    struct fault_shop *direct = fault_open_direct();
    unsigned cut = 0;
    for (unsigned n = 0; n < cuts->end; n = next_in(cuts, n)) {
        const struct ses_key key = new_key();
        const uint64_t version = put(&direct->f, &key, "even");
        struct fault_shop *shop = fault_open_by_proxy();
        proxy_set(&fault_proxy, PROXY_CUT, n);
        const struct cycle cycle = run_cycle(&shop->f, &key, version);
        proxy_set(&fault_proxy, PROXY_NONE, 0);
        assert_cycle(&cycle);
        cut += cycle.saved == SES_ERR_UNAVAILABLE;
        fault_close(shop);
        assert_ok(fault_load(&direct->f, &key));
    }
    assert_in_range(cut, fault_subject->saves_cut_least, cuts->end);
    fault_close(direct);
}

/* ---- changed ---- */

/* Where such bytes are to be expected, there is TLS. What is stored is checked all the same; that
 * is not all of what a server says, and not every change hits it. */
static void bytes_that_were_changed_on_the_way_are_refused(void **state)
{
    (void)state;
    struct fault_shop *direct = fault_open_direct();
    const struct ses_key key = new_key();
    unsigned refused = 0;
    (void)put(&direct->f, &key, "even");
    for (unsigned n = 2; n < 100; n++) {
        struct fault_shop *shop = fault_open_by_proxy();
        struct ses_record record = { 0 };
        fault_set_budget(shop, 1000);
        proxy_set(&fault_proxy, PROXY_CORRUPT, n);
        const int r = store_load(shop->f.store, &key, shop->f.now, &record);
        proxy_set(&fault_proxy, PROXY_NONE, 0);
        assert_false(r == SES_OK && memcmp(ses_blob_bytes(record.data).data, "even", 4) != 0);
        assert_int_not_equal(r, SES_ERR_NOT_FOUND);
        refused += r == SES_ERR_CORRUPT || r == SES_ERR_UNAVAILABLE;
        drop_record(&record);
        fault_close(shop);
    }
    assert_in_range(refused, fault_subject->refused_least, 98);
    fault_close(direct);
}

/* ---- slow, or half ---- */

static void answer_that_comes_in_drops_ends_with_the_budget(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_by_proxy();
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "even");
    fault_set_budget(shop, 800);
    proxy_set(&fault_proxy, PROXY_SLOW, 50); /* never silent for long, and never done */
    for (int i = 0; i < 2; i++) {            /* then whatever another connection begins with */
        const int64_t before = monotonic_ms();
        assert_code(fault_load(&shop->f, &key), SES_ERR_UNAVAILABLE);
        assert_in_range(monotonic_ms() - before, 300, 400 + FAULT_SLACK_MS);
    }
    proxy_set(&fault_proxy, PROXY_NONE, 0);
    fault_load_until(&shop->f, &key, SES_OK);
    fault_close(shop);
}

static void connection_of_half_an_answer_is_never_used_again(void **state)
{
    (void)state;
    const struct fault_sweep *halves = &fault_subject->halves;
    struct fault_shop *shop = fault_open_by_proxy();
    const struct ses_key first = new_key(), second = new_key();
    (void)put(&shop->f, &first, "even");
    const uint64_t version = put(&shop->f, &second, "odds");
    fault_set_budget(shop, 1600);
    for (unsigned n = 1; n < halves->end; n = next_in(halves, n)) {
        const unsigned before = fault_proxy.connections;
        proxy_set(&fault_proxy, PROXY_SWALLOW, n); /* the rest of the answer may yet come */
        assert_code(fault_load(&shop->f, &first), SES_ERR_UNAVAILABLE);
        proxy_set(&fault_proxy, PROXY_NONE, 0);
        assert_loads(&shop->f, &second, "odds", version, shop->f.now + LIFE_MS);
        assert_true(fault_proxy.connections > before);
    }
    fault_close(shop);
}

/* ---- lost ---- */

static void write_of_unknown_outcome_is_not_repeated(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_by_proxy();
    struct fixture *f = &shop->f;
    const struct ses_key key = new_key();
    struct ses_record record = { 0 };
    assert_ok(save_as(f, &key, put(f, &key, "even"), "odds", SES_KIND_SESSION)); /* is prepared */
    assert_ok(store_load(f->store, &key, f->now, &record));
    const uint64_t version = record.version;
    drop_record(&record);
    proxy_set(&fault_proxy, PROXY_CUT, 0); /* the server does it; its answer is lost */
    assert_code(save_as(f, &key, version, "even", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    proxy_set(&fault_proxy, PROXY_NONE, 0);
    assert_code(save_as(f, &key, version, "odds", SES_KIND_SESSION), SES_ERR_CONFLICT);
    fault_close(shop);
}

static void create_of_unknown_outcome_is_not_repeated(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_by_proxy();
    const struct ses_key before = new_key(), key = new_key();
    struct ses_record record = make_record(SLICE("even"), shop->f.now + LIFE_MS);
    (void)put(&shop->f, &before, "odds"); /* is prepared */
    proxy_set(&fault_proxy, PROXY_CUT, 0);
    assert_code(store_create(shop->f.store, &key, shop->f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    proxy_set(&fault_proxy, PROXY_NONE, 0);
    assert_loads(&shop->f, &key, "even", record.version, record.expires_ms);
    drop_record(&record);
    fault_close(shop);
}

const struct CMUnitTest server_faults_answers[] = {
    FAULT(answers_that_are_cut_after_any_byte_are_never_served),
    FAULT(bytes_that_were_changed_on_the_way_are_refused),
    FAULT(answer_that_comes_in_drops_ends_with_the_budget),
    FAULT(connection_of_half_an_answer_is_never_used_again),
    FAULT_FOR(write_of_unknown_outcome_is_not_repeated, FAULT_SAVES_IN_ONE_TRIP),
    FAULT(create_of_unknown_outcome_is_not_repeated),
    { 0 },
};
