/* SPDX-License-Identifier: MIT */
#include "core/manager.h"

#include "core/config_lists.h"
#include "core/config_sealed.h"
#include "core/preset.h"
#include "core/providers.h"
#include "core/scan.h"
#include "core/seal.h"

#include "base/abi.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/slice.h"

#include <sesame/version.h>

#include <stdlib.h>

enum { GC_STEP_RECORDS = 65536 };

int64_t manager_now_ms(const ses_manager *manager)
{
    return manager->clock ? manager->clock(manager->clock_arg) : clock_now_ms();
}

static void on_store_failure(void *arg, int code)
{
    const struct happening failed = { .type = SES_EVENT_STORE_ERROR, .code = code };
    events_tell(arg, &failed);
}

static void on_store_reachable(void *arg, bool reachable)
{
    const struct happening change = { .type =
                                          reachable ? SES_EVENT_STORE_BACK : SES_EVENT_STORE_LOST };
    events_tell(arg, &change);
}

/* ---- making one ---- */

static int take_options(ses_manager *manager, const struct ses_manager_options *given)
{
    struct ses_manager_options options = { 0 };
    if (given) {
        const size_t first_size = offsetof(struct ses_manager_options, clock_arg) + sizeof(void *);
        int r = abi_copy_in(&options, sizeof options, given, given->size, first_size);
        if (r < 0)
            return r;
    }
    manager->clock = options.clock;
    manager->clock_arg = options.clock_arg;
    manager->events.log = options.log;
    manager->events.log_arg = options.log_arg;
    manager->events.hook = options.event;
    manager->events.hook_arg = options.event_arg;
    return random_bytes(manager->events.salt, SALT_BYTES);
}

static void warn_of_shortfall(void *arg, const char *line)
{
    const ses_manager *manager = arg;
    events_log(&manager->events, SES_LOG_WARNING, "short of %s: %s",
               preset_words[manager->config.preset], line);
}

static void take_config(ses_manager *manager)
{
    const struct config *c = &manager->config;
    manager->ids = (struct id_format){
        .purpose = ID_OF_SESSION,
        .prefix = slice_of_text(c->id_prefix),
        .realm = slice_of_text(c->realm),
        .random_bytes = (size_t)c->id_bytes,
        .keys = c->id_keys,
        .key_count = c->id_key_count,
    };
    manager->token_ids = manager->ids;
    manager->token_ids.purpose = ID_OF_TOKEN;
    manager->limits = (struct overlay_limits){
        .record_bytes = (size_t)c->max_record_bytes,
        .value_bytes = (size_t)c->max_value_bytes,
        .values = (size_t)c->max_values,
    };
    for (size_t i = 0; config_warning(c, i); i++)
        events_log(&manager->events, SES_LOG_WARNING, "%s", config_warning(c, i));
    if (c->preset > 0)
        preset_shortfalls(c, c->preset, warn_of_shortfall, manager);
}

/* What a provider says failed while it opens is why it does not: that line becomes the error's
 * message, and whoever gets that tells it once. */
static void on_store_log(void *arg, enum ses_log_level level, const char *message)
{
    ses_manager *manager = arg;
    if (manager->opening && level == SES_LOG_ERROR)
        (void)error_set(manager->opening, manager->opening->code, "%s", message);
    else if (manager->events.log)
        manager->events.log(manager->events.log_arg, level, message);
}

/* A sealed session's id changes only with a log-in: each commit makes another token anyway. */
static int open_sealer(ses_manager *manager, bool sealed, struct ses_error *error)
{
    struct config *c = &manager->config;
    if (sealed) {
        c->renewal_s = 0;
        const int r = sealer_new(c, &manager->sealer, error);
        config_wipe_sealing(c);
        return r;
    }
    if (c->seal_keys || c->seal_key_file || c->seal_passphrase)
        return error_set(error, SES_ERR_INVALID,
                         "a sealing key needs the provider \"cookie\", or \"cookie+NAME\" for a "
                         "ledger in another");
    return SES_OK;
}

static int open_store(ses_manager *manager, const struct ses_provider_ops *ops, const char *json,
                      struct ses_error *error)
{
    const struct store_hooks hooks = { on_store_log,       manager,
                                       on_store_failure,   &manager->events,
                                       on_store_reachable, &manager->events };
    int r = store_prepare(ops, &hooks, &manager->store);
    if (r < 0)
        return r;
    r = config_read(&manager->config, json, ops, store_instance(manager->store), error);
    if (r < 0)
        return r;
    take_config(manager);
    manager->opening = error;
    r = store_open(manager->store, manager->config.provider_config);
    manager->opening = NULL;
    return r;
}

static int make_tables(ses_manager *manager)
{
    manager->tags = tags_new();
    manager->scans = scans_new();
    return manager->tags && manager->scans ? SES_OK : SES_ERR_NO_MEMORY;
}

/* "cookie", or "cookie+NAME": sealed sessions, with a ledger in that store. @return what names the
 * store. */
static const char *store_name(ses_manager *manager, const char *provider, bool *ret_sealed)
{
    static const char sealed[] = "cookie";
    const size_t len = sizeof sealed - 1;
    *ret_sealed =
        strncmp(provider, sealed, len) == 0 && (provider[len] == '\0' || provider[len] == '+');
    manager->has_ledger = *ret_sealed && provider[len] == '+';
    return manager->has_ledger ? provider + len + 1 : provider;
}

/* Which settings only a provider can keep that has an index by user. */
static int check_provider(const ses_manager *manager, struct ses_error *error)
{
    const struct config *c = &manager->config;
    const char *key = c->max_user_sessions > 0 ? "maxSessionsPerUser"
                      : c->remember_s > 0      ? "rememberLifetime"
                                               : NULL;
    if (!key || store_has_list(manager->store))
        return SES_OK;
    return error_set(error, SES_ERR_INVALID,
                     "\"%s\" needs a provider that keeps an index by user; this one has none", key);
}

static int manager_open(ses_manager *manager, const char *provider, const char *json,
                        const struct ses_manager_options *options, struct ses_error *error)
{
    const struct ses_provider_ops *ops;
    CLEANUP(free) char *lifted = NULL;
    bool sealed;
    const char *name = store_name(manager, provider ? provider : "", &sealed);
    int r = take_options(manager, options);
    if (r == SES_OK)
        r = provider_find(name, &ops, error);
    if (r == SES_OK && sealed && !manager->has_ledger)
        r = config_lift_sealed(json, &lifted, error);
    if (r == SES_OK)
        r = open_store(manager, ops, lifted ? lifted : json, error);
    if (r == SES_OK)
        r = open_sealer(manager, sealed, error);
    if (r == SES_OK)
        r = check_provider(manager, error);
    if (r == SES_OK)
        r = make_tables(manager);
    if (r == SES_OK)
        r = collector_new(manager, manager->config.gc_interval_s, &manager->collector);
    return r;
}

ses_manager *ses_manager_new(const char *provider, const char *config_json,
                             const struct ses_manager_options *options, struct ses_error *error)
{
    struct ses_error unasked = { 0 };
    struct ses_error *e = error ? error : &unasked;
    *e = (struct ses_error){ .code = SES_ERR_NO_MEMORY };

    /* Aligned: the counters' stripes stand on cache lines of their own. */
    CLEANUP(ses_manager_unref) ses_manager *manager = NULL;
    ses_manager *fresh = aligned_alloc(_Alignof(ses_manager), sizeof *fresh);
    if (fresh) {
        memset(fresh, 0, sizeof *fresh);
        atomic_init(&fresh->refs, 1);
        manager = fresh;
    }
    int r = manager ? manager_open(manager, provider, config_json, options, e) : SES_ERR_NO_MEMORY;
    if (r == SES_OK)
        return steal(&manager);
    e->code = r;
    if (e->message[0] == '\0')
        (void)error_set(e, r, "%s", ses_strerror(r));
    if (!error && manager) /* nobody else would tell */
        events_log(&manager->events, SES_LOG_ERROR, "%s", e->message);
    return NULL;
}

ses_manager *ses_manager_ref(ses_manager *manager)
{
    atomic_fetch_add_explicit(&manager->refs, 1, memory_order_relaxed);
    return manager;
}

void ses_manager_unref(ses_manager *manager)
{
    if (!manager || atomic_fetch_sub_explicit(&manager->refs, 1, memory_order_acq_rel) > 1)
        return;

    collector_free(manager->collector);
    if (manager->store)
        store_close(manager->store);
    tags_free(manager->tags);
    scans_free(manager->scans);
    sealer_free(manager->sealer);
    config_free(&manager->config);
    free(manager);
}

/* ---- what it can do ---- */

int ses_manager_ping(ses_manager *manager)
{
    return store_ping(manager->store);
}

int ses_manager_stats(ses_manager *manager, struct ses_stats *ret_stats)
{
    struct ses_stats stats;
    events_read(&manager->events, &stats);
    return abi_copy_out(ret_stats, ret_stats->size, &stats, sizeof stats, sizeof stats);
}

int manager_gc_step(ses_manager *manager, uint32_t budget, struct ses_gc_step *ret_step)
{
    *ret_step = (struct ses_gc_step){ 0 };
    int r = store_gc(manager->store, manager_now_ms(manager), budget, ret_step);
    if (r == SES_OK)
        events_add(&manager->events, COUNT_COLLECTED, ret_step->removed);
    return r;
}

/* Without a budget the provider comes to its end twice: a round that others had begun may have
 * passed by what has expired since. */
int ses_gc(ses_manager *manager, uint32_t budget_records, uint64_t *ret_removed)
{
    const uint32_t budget = budget_records ? budget_records : GC_STEP_RECORDS;
    struct ses_gc_step step;
    uint64_t removed = 0;
    int ends = 0;
    do {
        int r = manager_gc_step(manager, budget, &step);
        if (r < 0)
            return r;
        removed += step.removed;
        ends += !step.more;
    } while (ends < 2 && budget_records == 0);

    if (ret_removed)
        *ret_removed = removed;
    return SES_OK;
}

int ses_gc_start(ses_manager *manager)
{
    return collector_start(manager->collector);
}

void ses_gc_stop(ses_manager *manager)
{
    collector_stop(manager->collector);
}

int ses_count(ses_manager *manager, uint64_t *ret_count)
{
    return store_count(manager->store, manager_now_ms(manager), ret_count);
}

#define TEXT_OF(number)                   #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *ses_version(void)
{
    return VERSION_TEXT(SES_VERSION_MAJOR, SES_VERSION_MINOR, SES_VERSION_PATCH);
}
