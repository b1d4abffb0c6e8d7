/* SPDX-License-Identifier: MIT */
#include "core/registry.h"

#include "core/carrier.h"
#include "core/store.h"

#include <stdatomic.h>

enum { REGISTRY_MAX = 32 };

#define X(name) extern const struct ses_provider_ops ses_provider_##name;
#include "builtin-providers.h"
#undef X

/*
 * The process's one table, as in database/sql: names to providers, filled from the front and never
 * taken from. Without a lock, so that a fork at any moment leaves it usable in the child.
 */
static _Atomic(const struct ses_provider_ops *) registered[REGISTRY_MAX] = {
#define X(name) &ses_provider_##name,
#include "builtin-providers.h"
#undef X
    &ses_provider_cookie,
};

const struct ses_provider_ops *registry_at(size_t i)
{
    return i < REGISTRY_MAX ? atomic_load_explicit(&registered[i], memory_order_acquire) : NULL;
}

const struct ses_provider_ops *registry_find(const char *name)
{
    const struct ses_provider_ops *ops;
    for (size_t i = 0; (ops = registry_at(i)) != NULL; i++) {
        if (strcmp(ops->name, name) == 0)
            return ops;
    }
    return NULL;
}

int ses_provider_register(const struct ses_provider_ops *ops)
{
    int r = ops ? store_check_ops(ops) : SES_ERR_INVALID;
    if (r < 0)
        return r;

    /* Whoever loses the race for a slot looks at what won it, so no name is ever there twice. */
    for (size_t i = 0; i < REGISTRY_MAX; i++) {
        const struct ses_provider_ops *there = NULL;
        if (atomic_compare_exchange_strong(&registered[i], &there, ops))
            return SES_OK;
        if (strcmp(there->name, ops->name) == 0)
            return SES_ERR_EXISTS;
    }
    return SES_ERR_FULL;
}
