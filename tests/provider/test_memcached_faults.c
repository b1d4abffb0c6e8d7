/* SPDX-License-Identifier: MIT */
/* What becomes of calls while the server is gone, stands still, or answers half. */
#include "provider/memcached_fixture.h"
#include "provider/server_faults.h"

#include <stdio.h>

static struct server server;

static void connection_that_was_closed_meanwhile_is_replaced_unseen(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_direct();
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "alpha");
    for (int i = 0; i < 3; i++) {
        server_kill(&server);
        fault_restart();
        if (i == 0)
            assert_code(fault_load(&shop->f, &key), SES_ERR_NOT_FOUND);
        else if (i == 1)
            assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
        else
            (void)put(&shop->f, &key, "beta");
    }
    assert_int_equal(shop->lines, 0);
    fault_close(shop);
}

/* The answer to the gets arrives, that to the cas does not: for the suite's
 * write_of_unknown_outcome_is_not_repeated a save is one trip, and the first answer is lost. */
static void save_of_unknown_outcome_is_not_repeated(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_by_proxy(), *direct = fault_open_direct();
    int unknown = 0;
    for (unsigned n = 180; n < 190; n++) {
        const struct ses_key key = new_key();
        const uint64_t version = put(&direct->f, &key, "even");
        proxy_set(&fault_proxy, PROXY_CUT, n);
        const int r = save_as(&shop->f, &key, version, "odds", SES_KIND_SESSION);
        proxy_set(&fault_proxy, PROXY_NONE, 0);
        const int again = save_as(&direct->f, &key, version, "even", SES_KIND_SESSION);
        assert_true(r == SES_OK || r == SES_ERR_UNAVAILABLE);
        assert_true(r == SES_ERR_UNAVAILABLE || again == SES_ERR_CONFLICT);
        unknown += r == SES_ERR_UNAVAILABLE && again == SES_ERR_CONFLICT; /* it was done, once */
    }
    assert_true(unknown > 0);
    fault_close(shop);
    fault_close(direct);
}

static void write_address(int port, char *text, size_t size)
{
    (void)snprintf(text, size, "127.0.0.1:%d", port);
}

static const struct CMUnitTest own[] = {
    cmocka_unit_test(connection_that_was_closed_meanwhile_is_replaced_unseen),
    cmocka_unit_test(save_of_unknown_outcome_is_not_repeated),
    { 0 },
};

int main(void)
{
    char config[CONFIG_ROOM], path[SERVER_PATH_ROOM];
    memcached_start(&server, NULL);
    const struct fault_subject subject = {
        .ops = &ses_provider_memcached,
        .settings = memcached_settings,
        .pool_at = offsetof(struct memcached, pool_size),
        .budget_at = offsetof(struct memcached, budget_ms),
        .server = &server,
        .answers = memcached_answers,
        .kill = server_kill,
        .freeze = server_freeze,
        .thaw = server_thaw,
        .socket = memcached_socket(&server, path),
        .config = memcached_config_of(&server, config),
        .write_config = write_address,
        .traits = FAULT_FORGETS,  /* a save is a gets and a cas */
        .large_bytes = 512 << 10, /* an item is at most a megabyte */
        .cuts = { .step = 2, .end = 760 },
        .saves_cut_least = 151,
        .halves = { .step = 13, .end = 170 },
        .refused_least = 81,
    };
    return server_faults_run(&subject, own);
}
