/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "cycles.h"

#include <sesame/ext/provider.h>

/* How long a record is: asked of a provider that stores nothing and looks at what it is given. */

static size_t weighed;

static int scales_open(void *self, ses_provider_host *host, const char *config)
{
    (void)self, (void)host, (void)config;
    return SES_OK;
}

static void scales_close(void *self)
{
    (void)self;
}

static int scales_load(void *self, const struct ses_key *key, int64_t now_ms,
                       struct ses_record *ret_record)
{
    (void)self, (void)key, (void)now_ms, (void)ret_record;
    return SES_ERR_NOT_FOUND;
}

static int scales_create(void *self, const struct ses_key *key, int64_t now_ms,
                         const struct ses_owner *owner, const struct ses_record *record)
{
    (void)self, (void)key, (void)now_ms, (void)owner;
    weighed = ses_blob_bytes(record->data).len;
    return SES_OK;
}

static int scales_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                       const struct ses_record *record, struct ses_record *ret_winner)
{
    (void)self, (void)key, (void)now_ms, (void)expected, (void)record, (void)ret_winner;
    return SES_ERR_NOT_FOUND;
}

static int scales_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                        int64_t expires_ms)
{
    (void)self, (void)key, (void)now_ms, (void)expected, (void)expires_ms;
    return SES_ERR_NOT_FOUND;
}

static int scales_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    (void)self, (void)key, (void)now_ms;
    return SES_OK;
}

static const struct ses_provider_ops scales_ops = {
    .size = sizeof scales_ops,
    .abi = SES_PROVIDER_ABI,
    .flags = SES_PROVIDER_EXPIRES,
    .name = "scales",
    .open = scales_open,
    .close = scales_close,
    .load = scales_load,
    .create = scales_create,
    .save = scales_save,
    .touch = scales_touch,
    .destroy = scales_destroy,
};

size_t record_bytes(void)
{
    if (weighed > 0)
        return weighed;
    if (ses_provider_register(&scales_ops) != SES_OK)
        bench_fail("cannot register a provider");
    ses_manager *manager = cycles_manager("scales", NULL, NULL);
    if (cycles_create(manager, 0, NULL) != SES_OK)
        bench_fail("cannot create a session");
    ses_manager_unref(manager);
    return weighed;
}
