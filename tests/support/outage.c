/* SPDX-License-Identifier: MIT */
/*
 * Provider "outage", a module: a shelf whose store a test takes away from outside. ProviderConfig
 * is a folder. While a file "load" is in it no record can be read; while there is a "write", none
 * changed.
 */
#include "../../examples/provider/shelf.c"

#include <stdio.h>
#include <unistd.h>

struct outage {
    struct shelf shelf; /* first: its operations see nothing else */
    ses_provider_host *host;
    const char *folder;
};

static int outage_open(void *self, ses_provider_host *host, const char *config)
{
    struct outage *outage = self;
    outage->host = host;
    outage->folder = config; /* the manager's, which outlives us */
    return shelf_open(self, host, "");
}

static int reach(void *self, const char *what)
{
    const struct outage *outage = self;
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", outage->folder, what);
    if (access(path, F_OK) != 0)
        return SES_OK;
    return ses_provider_fail(outage->host, SES_ERR_UNAVAILABLE, "%s: out of reach", what);
}

static int outage_load(void *self, const struct ses_key *key, int64_t now_ms,
                       struct ses_record *ret_record)
{
    int r = reach(self, "load");
    return r < 0 ? r : shelf_load(self, key, now_ms, ret_record);
}

static int outage_create(void *self, const struct ses_key *key, int64_t now_ms,
                         const struct ses_owner *owner, const struct ses_record *record)
{
    int r = reach(self, "write");
    return r < 0 ? r : shelf_create(self, key, now_ms, owner, record);
}

static int outage_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                       const struct ses_record *record, struct ses_record *ret_winner)
{
    int r = reach(self, "write");
    return r < 0 ? r : shelf_save(self, key, now_ms, expected, record, ret_winner);
}

static int outage_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                        int64_t expires_ms)
{
    int r = reach(self, "write");
    return r < 0 ? r : shelf_touch(self, key, now_ms, expected, expires_ms);
}

static int outage_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    int r = reach(self, "write");
    return r < 0 ? r : shelf_destroy(self, key, now_ms);
}

extern const struct ses_provider_ops ses_provider_outage;

SES_API const struct ses_provider_ops ses_provider_outage = {
    .size = sizeof(struct ses_provider_ops),
    .abi = SES_PROVIDER_ABI,
    .name = "outage",
    .instance_size = sizeof(struct outage),
    .settings = settings,
    .open = outage_open,
    .close = shelf_close,
    .load = outage_load,
    .create = outage_create,
    .save = outage_save,
    .touch = outage_touch,
    .destroy = outage_destroy,
    .gc = shelf_gc,
    .count = shelf_count,
    .iterate = shelf_iterate,
    .list = shelf_list,
};
