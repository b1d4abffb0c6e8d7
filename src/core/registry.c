/* SPDX-License-Identifier: MIT */
#include "core/registry.h"

#include "core/store.h"

#include "base/buffer.h"
#include "base/cleanup.h"

enum { REGISTRY_MAX = 32 };

#define X(name) extern const struct ses_provider_ops ses_provider_##name;
#include "builtin-providers.h"
#undef X

/* The process's one table, as in database/sql: names to providers, added to and never taken from.
 */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const struct ses_provider_ops *registered[REGISTRY_MAX] = {
#define X(name) &ses_provider_##name,
#include "builtin-providers.h"
#undef X
};

static size_t count_registered(void)
{
    size_t count = 0;
    while (count < REGISTRY_MAX && registered[count])
        count++;
    return count;
}

static const struct ses_provider_ops *find_named(const char *name)
{
    for (size_t i = 0; i < count_registered(); i++) {
        if (strcmp(registered[i]->name, name) == 0)
            return registered[i];
    }
    return NULL;
}

const struct ses_provider_ops *registry_find(const char *name)
{
    LOCK(&mutex);
    return find_named(name);
}

void registry_names(char *out, size_t size)
{
    LOCK(&mutex);
    struct buffer names = buffer_fixed(out, size);
    for (size_t i = 0; i < count_registered(); i++) {
        buffer_text(&names, i > 0 ? ", " : "");
        buffer_text(&names, registered[i]->name);
    }
    buffer_byte(&names, '\0');
    out[size - 1] = '\0';
}

int ses_provider_register(const struct ses_provider_ops *ops)
{
    int r = ops ? store_check_ops(ops) : SES_ERR_INVALID;
    if (r < 0)
        return r;

    LOCK(&mutex);
    if (find_named(ops->name))
        return SES_ERR_EXISTS;
    const size_t count = count_registered();
    if (count == REGISTRY_MAX)
        return SES_ERR_FULL;
    registered[count] = ops;
    return SES_OK;
}
