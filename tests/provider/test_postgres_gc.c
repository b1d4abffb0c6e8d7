/* SPDX-License-Identifier: MIT */
/* How gc looks for rows, and whom it leaves alone. */
#include "provider/postgres_shop.h"

#include "shared/deadline.h"

#include <stdio.h>

static void make_expired(int count)
{
    char text[300];
    (void)snprintf(text, sizeof text,
                   "INSERT INTO sesame_sessions SELECT sha256(i::text::bytea), 1, "
                   "1000 + i, 1, NULL, 1, 'x' FROM generate_series(1, %d) i; ANALYZE "
                   "sesame_sessions",
                   count);
    postgres_say(guest, text);
}

static int64_t rows(void)
{
    return postgres_number(guest, "SELECT count(*) FROM sesame_sessions");
}

/* With the plan for any parameters, which the server takes after the fifth time. */
static void gc_finds_rows_by_the_index_and_asks_for_its_lock_once(void **state)
{
    static char plan[1 << 14];
    char text[1200];
    const char *collect = postgres_provider_dialect.texts[SQL_COLLECT];
    (void)state;
    make_expired(20000);
    size_t len = (size_t)snprintf(text, sizeof text, "PREPARE c AS ");
    for (; *collect; collect++)
        len += (size_t)snprintf(text + len, sizeof text - len, *collect == '@' ? "sesame_" : "%c",
                                *collect);
    postgres_say(guest, text);
    postgres_say(guest, "SET plan_cache_mode = force_generic_plan");
    postgres_say(guest, "CREATE FUNCTION plan_of_c() RETURNS text LANGUAGE plpgsql AS $$ "
                        "DECLARE line text; lines text := ''; BEGIN FOR line IN EXECUTE "
                        "'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE c(9000, 100)' LOOP "
                        "lines := lines || line || chr(10); END LOOP; RETURN lines; END $$");
    postgres_text(guest, "SELECT plan_of_c()", plan, sizeof plan);
    if (!strstr(plan, "Index Scan using sesame_sessions_expires") ||
        !strstr(plan, "sesame_sessions_pkey") || strstr(plan, "Seq Scan") || strstr(plan, "Sort") ||
        !strstr(plan, "One-Time Filter") || strstr(plan, "SubPlan"))
        fail_msg("%s", plan);
    for (const char *at = plan; (at = strstr(at, "loops=")); at++)
        assert_int_equal(at[6], '1');
    assert_int_equal(rows(), 20000 - 100);
}

static void gc_leaves_it_to_another_process_that_collects(void **state)
{
    struct ses_gc_step step;
    (void)state;
    make_expired(250);
    postgres_say(guest, "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended("
                        "'sesame_collect', 0))");
    assert_ok(store_gc(shop.f.store, shop.f.now, 1000, &step));
    assert_int_equal(step.removed, 0);
    assert_false(step.more);
    assert_int_equal(rows(), 250);
    postgres_say(guest, "COMMIT");
    assert_ok(store_gc(shop.f.store, shop.f.now, 1000, &step));
    assert_int_equal(step.removed, 250);
}

static void gc_waits_for_no_row_that_somebody_writes_to(void **state)
{
    struct ses_gc_step step;
    (void)state;
    make_expired(50);
    postgres_say(guest, "BEGIN; UPDATE sesame_sessions SET version = 2 WHERE expires <= 1010");
    const int64_t before = monotonic_ms();
    assert_ok(store_gc(shop.f.store, shop.f.now, 1000, &step));
    assert_true(monotonic_ms() - before < 900);
    assert_int_equal(step.removed, 40);
    postgres_say(guest, "COMMIT");
    assert_int_equal(rows(), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_IN_A_SHOP(gc_finds_rows_by_the_index_and_asks_for_its_lock_once),
        CASE_IN_A_SHOP(gc_leaves_it_to_another_process_that_collects),
        CASE_IN_A_SHOP(gc_waits_for_no_row_that_somebody_writes_to),
    };
    start_server(NULL);
    return cmocka_run_group_tests(tests, NULL, end_guest);
}
