/* SPDX-License-Identifier: MIT */
#include "provider/sql_storm.h"

#include "sql/store.h"

#include <stdio.h>

struct sql_subject sql_subject;

void sql_shop_settings(void *instance)
{
    struct sql *sql = instance;
    sql->create_table = true;
    sql->pool_size = 16;
    sql->budget_ms = 2000;
}

void sql_patient_settings(void *instance)
{
    struct sql *sql = instance;
    sql_shop_settings(instance);
    sql->budget_ms = 20000;
}

static void note_line(void *arg, enum ses_log_level level, const char *line)
{
    struct sql_shop *shop = arg;
    (void)level;
    shop->lines++;
    (void)pthread_mutex_lock(&shop->mutex);
    const size_t len = strlen(shop->all);
    (void)snprintf(shop->told, sizeof shop->told, "%s", line);
    (void)snprintf(shop->all + len, sizeof shop->all - len, "%s\n", line);
    (void)pthread_mutex_unlock(&shop->mutex);
}

static void note_reachable(void *arg, bool reachable)
{
    struct sql_shop *shop = arg;
    if (reachable)
        shop->back++;
    else
        shop->lost++;
}

int sql_shop_open(struct sql_shop *shop, const struct ses_provider_ops *ops, const char *config,
                  void (*settings)(void *instance))
{
    const struct store_hooks hooks = {
        .log = note_line, .log_arg = shop, .reachable = note_reachable, .reachable_arg = shop
    };
    struct store *store = NULL;
    memset(shop, 0, sizeof *shop);
    shop->subject = (struct ses_conformance){ .size = sizeof shop->subject, .ops = ops };
    shop->f.subject = &shop->subject;
    shop->f.now = present_ms();
    (void)pthread_mutex_init(&shop->mutex, NULL);
    assert_ok(store_prepare(ops, &hooks, &store));
    (settings ? settings : sql_patient_settings)(store_instance(store));
    const int r = store_open(store, config);
    if (!settings)
        sql_shop_settings(store_instance(store));
    if (r == SES_OK)
        shop->f.store = store;
    else
        store_close(store);
    return r;
}

void sql_shop_close(struct sql_shop *shop)
{
    store_close(shop->f.store);
    (void)pthread_mutex_destroy(&shop->mutex);
}

int sql_storm_open(struct sql_shop *shop)
{
    return sql_shop_open(shop, sql_subject.ops, sql_subject.config,
                         sql_subject.settings ? sql_subject.settings : sql_patient_settings);
}
