/* SPDX-License-Identifier: MIT */
#include "core/store.h"

#include "base/abi.h"
#include "base/cleanup.h"
#include "base/one_line.h"

#include <stdarg.h>
#include <stdio.h>

struct ses_provider_host {
    struct store_hooks hooks;
    const char *provider;
};

struct store {
    struct ses_provider_ops ops; /* ours: complete, optional slots filled in */
    struct ses_provider_host host;
    void *instance;
    bool opened; /* open() was called, whatever it answered: close() is due */
};

DEFINE_CLEANUP(struct store *, store_close)

/* ---- what a provider may leave out ---- */

static int no_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    (void)self, (void)now_ms, (void)budget;
    *ret_step = (struct ses_gc_step){ 0 };
    return SES_OK;
}

static int no_count(void *self, int64_t now_ms, uint64_t *ret_count)
{
    (void)self, (void)now_ms, (void)ret_count;
    return SES_ERR_UNSUPPORTED;
}

static int no_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    (void)self, (void)now_ms, (void)fn, (void)arg;
    return SES_ERR_UNSUPPORTED;
}

static int no_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
                   void *arg)
{
    (void)self, (void)user, (void)now_ms, (void)fn, (void)arg;
    return SES_ERR_UNSUPPORTED;
}

static int no_ping(void *self)
{
    (void)self;
    return SES_OK;
}

static int no_load_within(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                          struct ses_record *ret_record)
{
    (void)self, (void)connection, (void)key, (void)now_ms, (void)ret_record;
    return SES_ERR_UNSUPPORTED;
}

static int no_create_within(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                            const struct ses_record *record)
{
    (void)self, (void)connection, (void)key, (void)now_ms, (void)record;
    return SES_ERR_UNSUPPORTED;
}

static int no_save_within(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                          uint64_t expected, const struct ses_record *record)
{
    (void)self, (void)connection, (void)key, (void)now_ms, (void)expected, (void)record;
    return SES_ERR_UNSUPPORTED;
}

/* ---- is it a provider at all? ---- */

static bool name_is_plain(const char *name)
{
    if (!name || !*name)
        return false;
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static size_t setting_bytes(enum ses_setting_type type)
{
    switch (type) {
    case SES_SETTING_BOOL:
        return sizeof(bool);
    case SES_SETTING_INT:
        return sizeof(int64_t);
    case SES_SETTING_CHOICE:
        return sizeof(int);
    case SES_SETTING_TEXT:
    case SES_SETTING_LIST:
        return sizeof(const char *);
    }
    return 0;
}

/* The configuration writes through these offsets, so each has to end inside the instance. */
static bool settings_fit(const struct ses_provider_ops *ops)
{
    for (const struct ses_setting *s = ops->settings; s && s->name; s++) {
        const size_t bytes = setting_bytes(s->type);
        if (bytes == 0 || bytes > ops->instance_size || s->offset > ops->instance_size - bytes)
            return false;
        if (s->type == SES_SETTING_CHOICE && !s->choices)
            return false;
    }
    return true;
}

static bool ops_are_complete(const struct ses_provider_ops *ops)
{
    return ops->open && ops->close && ops->load && ops->create && ops->save && ops->touch &&
           ops->destroy && (ops->gc || (ops->flags & SES_PROVIDER_EXPIRES)) &&
           !ops->load_within == !ops->create_within && !ops->load_within == !ops->save_within;
}

static int ops_copy_in(struct ses_provider_ops *ret, const struct ses_provider_ops *ops)
{
    const size_t end_of_abi_1 = offsetof(struct ses_provider_ops, ping) + sizeof ret->ping;

    if (ops->size < end_of_abi_1 || ops->abi != SES_PROVIDER_ABI)
        return SES_ERR_ABI;
    int r = abi_copy_in(ret, sizeof *ret, ops, ops->size, end_of_abi_1);
    if (r < 0)
        return r;
    if (!name_is_plain(ret->name) || !ops_are_complete(ret) || !settings_fit(ret))
        return SES_ERR_INVALID;

    ret->gc = ret->gc ? ret->gc : no_gc;
    ret->count = ret->count ? ret->count : no_count;
    ret->iterate = ret->iterate ? ret->iterate : no_iterate;
    ret->list = ret->list ? ret->list : no_list;
    ret->ping = ret->ping ? ret->ping : no_ping;
    ret->load_within = ret->load_within ? ret->load_within : no_load_within;
    ret->create_within = ret->create_within ? ret->create_within : no_create_within;
    ret->save_within = ret->save_within ? ret->save_within : no_save_within;
    return SES_OK;
}

int store_check_ops(const struct ses_provider_ops *ops)
{
    struct ses_provider_ops complete;
    return ops ? ops_copy_in(&complete, ops) : SES_ERR_INVALID;
}

/* ---- life time ---- */

int store_prepare(const struct ses_provider_ops *ops, const struct store_hooks *hooks,
                  struct store **ret_store)
{
    struct ses_provider_ops complete;
    int r = ops_copy_in(&complete, ops);
    if (r < 0)
        return r;

    CLEANUP(store_close) struct store *store = calloc(1, sizeof *store);
    if (!store)
        return SES_ERR_NO_MEMORY;
    store->ops = complete;
    store->host = (struct ses_provider_host){ .hooks = *hooks, .provider = complete.name };
    store->instance = calloc(1, complete.instance_size ? complete.instance_size : 1);
    if (!store->instance)
        return SES_ERR_NO_MEMORY;

    *ret_store = steal(&store);
    return SES_OK;
}

void *store_instance(struct store *store)
{
    return store->instance;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->opened)
        store->ops.close(store->instance);
    free(store->instance);
    free(store);
}

/* ---- holding the provider to its contract ---- */

/* The outcomes that an operation may answer with, as a set; any failure is allowed everywhere. */
#define OUTCOME(code) (1u << -(code))

enum {
    LOAD_OUTCOMES = OUTCOME(SES_ERR_NOT_FOUND),
    CREATE_OUTCOMES = OUTCOME(SES_ERR_EXISTS) | OUTCOME(SES_ERR_DENIED) | OUTCOME(SES_ERR_FULL) |
                      OUTCOME(SES_ERR_TOO_LARGE),
    SAVE_OUTCOMES = OUTCOME(SES_ERR_CONFLICT) | OUTCOME(SES_ERR_NOT_FOUND) | OUTCOME(SES_ERR_FULL) |
                    OUTCOME(SES_ERR_TOO_LARGE),
    TOUCH_OUTCOMES = OUTCOME(SES_ERR_CONFLICT) | OUTCOME(SES_ERR_NOT_FOUND) | OUTCOME(SES_ERR_FULL),
    WITHIN_OUTCOMES = OUTCOME(SES_ERR_CONFLICT),
    NO_OUTCOMES = 0
};

static bool code_is_allowed(int code, unsigned outcomes)
{
    if (code == SES_OK)
        return true;
    if (ses_is_failure(code))
        return code <= SES_ERR_INVALID && code >= SES_ERR_NO_RANDOMNESS;
    return code < 0 && code > -32 && (outcomes & OUTCOME(code));
}

static int check_code(struct store *store, const char *op, int code, unsigned outcomes)
{
    if (code_is_allowed(code, outcomes))
        return code;
    return ses_provider_fail(&store->host, SES_ERR_CORRUPT,
                             "%s answered %d, which its contract does not have", op, code);
}

static bool record_is_sound(const struct ses_record *record)
{
    return record->data && record->version != 0 && record->kind >= SES_KIND_SESSION &&
           record->kind <= SES_KIND_TOKEN;
}

/* Hands a record over, or drops it and answers SES_ERR_CORRUPT; @p code otherwise. */
static int take_record(struct store *store, const char *op, int code, struct ses_record *record,
                       struct ses_record *ret_record)
{
    if (!record_is_sound(record)) {
        (void)ses_blob_unref(record->data);
        return ses_provider_fail(&store->host, SES_ERR_CORRUPT,
                                 "%s gave a record without data, version or known kind", op);
    }
    *ret_record = *record;
    return code;
}

/* The last word of every operation: tells whoever counts failures, and passes the code on. */
static int report(struct store *store, int code)
{
    const struct store_hooks *hooks = &store->host.hooks;
    if (ses_is_failure(code) && code != SES_ERR_UNSUPPORTED && hooks->failure)
        hooks->failure(hooks->failure_arg, code);
    return code;
}

int store_open(struct store *store, const char *provider_config)
{
    store->opened = true;
    int r = store->ops.open(store->instance, &store->host, provider_config ? provider_config : "");
    return check_code(store, "open", r, NO_OUTCOMES);
}

/* ---- one record ---- */

int store_load(struct store *store, const struct ses_key *key, int64_t now_ms,
               struct ses_record *ret_record)
{
    struct ses_record record = { 0 };
    int r = store->ops.load(store->instance, key, now_ms, &record);
    r = check_code(store, "load", r, LOAD_OUTCOMES);
    if (r == SES_OK)
        r = take_record(store, "load", r, &record, ret_record);
    return report(store, r);
}

int store_create(struct store *store, const struct ses_key *key, int64_t now_ms,
                 const struct ses_owner *owner, const struct ses_record *record)
{
    if (!record_is_sound(record))
        return SES_ERR_INVALID;
    int r = store->ops.create(store->instance, key, now_ms, owner, record);
    return report(store, check_code(store, "create", r, CREATE_OUTCOMES));
}

int store_save(struct store *store, const struct ses_key *key, int64_t now_ms, uint64_t expected,
               const struct ses_record *record, struct ses_record *ret_winner)
{
    if (expected == 0 || !record_is_sound(record))
        return SES_ERR_INVALID;
    struct ses_record winner = { 0 };
    int r = store->ops.save(store->instance, key, now_ms, expected, record, &winner);
    r = check_code(store, "save", r, SAVE_OUTCOMES);
    if (r == SES_ERR_CONFLICT)
        r = take_record(store, "save", r, &winner, ret_winner);
    return report(store, r);
}

int store_touch(struct store *store, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                int64_t expires_ms)
{
    if (expected == 0)
        return SES_ERR_INVALID;
    int r = store->ops.touch(store->instance, key, now_ms, expected, expires_ms);
    return report(store, check_code(store, "touch", r, TOUCH_OUTCOMES));
}

int store_destroy(struct store *store, const struct ses_key *key, int64_t now_ms)
{
    int r = store->ops.destroy(store->instance, key, now_ms);
    return report(store, check_code(store, "destroy", r, NO_OUTCOMES));
}

/* ---- one record, within a transaction ---- */

int store_load_within(struct store *store, void *connection, const struct ses_key *key,
                      int64_t now_ms, struct ses_record *ret_record)
{
    struct ses_record record = { 0 };
    int r = store->ops.load_within(store->instance, connection, key, now_ms, &record);
    r = check_code(store, "load_within", r, LOAD_OUTCOMES | WITHIN_OUTCOMES);
    if (r == SES_OK)
        r = take_record(store, "load_within", r, &record, ret_record);
    return report(store, r);
}

int store_create_within(struct store *store, void *connection, const struct ses_key *key,
                        int64_t now_ms, const struct ses_record *record)
{
    if (!record_is_sound(record))
        return SES_ERR_INVALID;
    int r = store->ops.create_within(store->instance, connection, key, now_ms, record);
    return report(store, check_code(store, "create_within", r, CREATE_OUTCOMES | WITHIN_OUTCOMES));
}

int store_save_within(struct store *store, void *connection, const struct ses_key *key,
                      int64_t now_ms, uint64_t expected, const struct ses_record *record)
{
    if (expected == 0 || !record_is_sound(record))
        return SES_ERR_INVALID;
    int r = store->ops.save_within(store->instance, connection, key, now_ms, expected, record);
    return report(store, check_code(store, "save_within", r, SAVE_OUTCOMES | WITHIN_OUTCOMES));
}

/* ---- the whole store ---- */

int store_gc(struct store *store, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    struct ses_gc_step step = { 0 };
    int r = store->ops.gc(store->instance, now_ms, budget ? budget : UINT32_MAX, &step);
    r = check_code(store, "gc", r, NO_OUTCOMES);
    if (r == SES_OK)
        *ret_step = step;
    return report(store, r);
}

int store_count(struct store *store, int64_t now_ms, uint64_t *ret_count)
{
    uint64_t count = 0;
    int r = store->ops.count(store->instance, now_ms, &count);
    r = check_code(store, "count", r, NO_OUTCOMES);
    if (r == SES_OK)
        *ret_count = count;
    return report(store, r);
}

/* Stands between a provider and the caller's function: looks at each record first, and remembers
 * what the function answered, because that may be any number and is not the provider's own code. */
struct visit {
    struct store *store;
    const char *op;
    ses_record_fn *fn;
    void *arg;
    int stopped; /* the first result that is not 0 */
    bool by_caller;
};

static int visit_record(void *arg, const struct ses_key *key, const struct ses_record *record)
{
    struct visit *visit = arg;
    if (visit->stopped != 0)
        return visit->stopped;
    if (!record_is_sound(record)) {
        visit->stopped =
            ses_provider_fail(&visit->store->host, SES_ERR_CORRUPT,
                              "%s gave a record without data, version or known kind", visit->op);
        return visit->stopped;
    }
    visit->stopped = visit->fn(visit->arg, key, record);
    visit->by_caller = visit->stopped != 0;
    return visit->stopped;
}

static int end_visit(struct visit *visit, int code)
{
    if (visit->by_caller)
        return visit->stopped;
    if (visit->stopped != 0)
        return report(visit->store, visit->stopped);
    return report(visit->store, check_code(visit->store, visit->op, code, NO_OUTCOMES));
}

int store_iterate(struct store *store, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    struct visit visit = { .store = store, .op = "iterate", .fn = fn, .arg = arg };
    return end_visit(&visit, store->ops.iterate(store->instance, now_ms, visit_record, &visit));
}

int store_list(struct store *store, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
               void *arg)
{
    struct visit visit = { .store = store, .op = "list", .fn = fn, .arg = arg };
    return end_visit(&visit, store->ops.list(store->instance, user, now_ms, visit_record, &visit));
}

bool store_has_list(const struct store *store)
{
    return store->ops.list != no_list;
}

int store_ping(struct store *store)
{
    return report(store, check_code(store, "ping", store->ops.ping(store->instance), NO_OUTCOMES));
}

/* ---- what a provider calls ---- */

int ses_provider_fail(ses_provider_host *host, int code, const char *format, ...)
{
    if (!host->hooks.log)
        return code;

    char detail[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    make_one_line(detail);

    char line[320];
    (void)snprintf(line, sizeof line, "%s: %s", host->provider, detail);
    host->hooks.log(host->hooks.log_arg, ses_is_failure(code) ? SES_LOG_ERROR : SES_LOG_DEBUG,
                    line);
    return code;
}

void ses_provider_reachable(ses_provider_host *host, bool reachable)
{
    if (host->hooks.reachable)
        host->hooks.reachable(host->hooks.reachable_arg, reachable);
}
