/* SPDX-License-Identifier: MIT */
#include "provider/server_faults.h"

#include "shared/deadline.h"

#include <stdio.h>

enum { TESTS_MAX = 64, CONFIG_ROOM_MOST = 600 };

const struct fault_subject *fault_subject;
struct proxy fault_proxy;
static struct ses_conformance fixture_of_subject;

/* ---- stores ---- */

/* Why it does not open is all that anybody needs to read. */
static void note_line(void *arg, enum ses_log_level level, const char *line)
{
    struct fault_shop *shop = arg;
    (void)level;
    shop->lines++;
    if (!shop->open)
        (void)printf("# %s\n", line);
}

static void note_reachable(void *arg, bool reachable)
{
    struct fault_shop *shop = arg;
    if (reachable)
        shop->back++;
    else
        shop->lost++;
}

static int64_t *setting_at(struct store *store, size_t offset)
{
    return (int64_t *)(void *)((char *)store_instance(store) + offset);
}

static struct fault_shop *open_shop(const char *config, int64_t pool_size)
{
    struct fault_shop *shop = calloc(1, sizeof *shop);
    assert_non_null(shop);
    const struct store_hooks hooks = {
        .log = note_line, .log_arg = shop, .reachable = note_reachable, .reachable_arg = shop
    };
    shop->f = (struct fixture){ .subject = &fixture_of_subject, .now = present_ms() };
    assert_ok(store_prepare(fault_subject->ops, &hooks, &shop->f.store));
    fault_subject->settings(store_instance(shop->f.store));
    if (pool_size > 0)
        *setting_at(shop->f.store, fault_subject->pool_at) = pool_size;
    assert_ok(store_open(shop->f.store, config));
    shop->open = true;
    fault_set_budget(shop, FAULT_BUDGET_MS);
    return shop;
}

struct fault_shop *fault_open_direct(void)
{
    return open_shop(fault_subject->config, 0);
}

struct fault_shop *fault_open_with_pool(int64_t size)
{
    return open_shop(fault_subject->config, size);
}

struct fault_shop *fault_open_by_proxy(void)
{
    char config[CONFIG_ROOM_MOST];
    fault_subject->write_config(fault_proxy.port, config, sizeof config);
    return open_shop(config, 0);
}

void fault_set_budget(struct fault_shop *shop, int64_t budget_ms)
{
    *setting_at(shop->f.store, fault_subject->budget_at) = budget_ms;
}

void fault_close(struct fault_shop *shop)
{
    store_close(shop->f.store);
    free(shop);
}

/* ---- calls ---- */

int fault_load(struct fixture *f, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(f->store, key, f->now, &record);
    drop_record(&record);
    return r;
}

void fault_load_until(struct fixture *f, const struct ses_key *key, int code)
{
    const struct deadline deadline = deadline_in(20000);
    int r;
    while ((r = fault_load(f, key)) != code) {
        assert_code(r, SES_ERR_UNAVAILABLE);
        assert_false(deadline_passed(deadline));
    }
}

void fault_restart(void)
{
    server_start_again(fault_subject->server, fault_subject->answers);
}

/* ---- running ---- */

/* A case that fails leaves what it spoilt, and is to be the only one that does. */
static int heal(void **state)
{
    (void)state;
    proxy_set(&fault_proxy, PROXY_NONE, 0);
    if (fault_subject->server->pid > 0)
        fault_subject->thaw(fault_subject->server);
    else
        fault_restart();
    return 0;
}

static size_t append(struct CMUnitTest *tests, size_t count, const struct CMUnitTest *part)
{
    for (; part->test_func; part++) {
        assert_true(count < TESTS_MAX);
        if (((uintptr_t)part->initial_state & ~(uintptr_t)fault_subject->traits) != 0) {
            (void)printf("# left out: %s\n", part->name);
            continue;
        }
        tests[count] = *part;
        tests[count++].teardown_func = heal;
    }
    return count;
}

int server_faults_run(const struct fault_subject *subject, const struct CMUnitTest *own)
{
    static struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;
    fault_subject = subject;
    fixture_of_subject =
        (struct ses_conformance){ .size = sizeof fixture_of_subject, .ops = subject->ops };
    proxy_start(&fault_proxy, subject->socket);
    count = append(tests, count, server_faults_gone);
    count = append(tests, count, server_faults_answers);
    count = append(tests, count, own);
    const int failed = _cmocka_run_group_tests(subject->ops->name, tests, count, NULL, NULL);
    proxy_stop(&fault_proxy);
    return failed;
}
