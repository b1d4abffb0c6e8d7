/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_STORE_H
#define SES_CORE_STORE_H

/*
 * An opened provider. The only file that calls through a provider's vtable: it checks the ABI and
 * the required slots once, fills in the optional ones, and holds the provider to its contract (a
 * load that answers without data, a version 0 or an unknown kind is SES_ERR_CORRUPT, never served).
 */

#include <sesame/ext/provider.h>
#include <sesame/manager.h>

struct store;

/* Told of each failure (ses_is_failure) of an operation, after it. */
typedef void store_failure_fn(void *arg, int code);

/* Told when the provider finds that its store does not answer any more, or does again. */
typedef void store_reachable_fn(void *arg, bool reachable);

struct store_hooks {
    ses_log_fn *log; /* may be NULL */
    void *log_arg;
    store_failure_fn *failure; /* may be NULL */
    void *failure_arg;
    store_reachable_fn *reachable; /* may be NULL */
    void *reachable_arg;
};

/* Is this a vtable that store_prepare() would take? SES_OK, SES_ERR_ABI, SES_ERR_INVALID. */
int store_check_ops(const struct ses_provider_ops *ops);

/*
 * In two steps, so that the configuration can write the provider's settings between them:
 * allocate the instance, then open it. store_close() ends either.
 */
int store_prepare(const struct ses_provider_ops *ops, const struct store_hooks *hooks,
                  struct store **ret_store);
void *store_instance(struct store *store); /* where the settings' offsets start */
int store_open(struct store *store, const char *provider_config);
void store_close(struct store *store);

int store_load(struct store *store, const struct ses_key *key, int64_t now_ms,
               struct ses_record *ret_record);
int store_create(struct store *store, const struct ses_key *key, int64_t now_ms,
                 const struct ses_owner *owner, const struct ses_record *record);
int store_save(struct store *store, const struct ses_key *key, int64_t now_ms, uint64_t expected,
               const struct ses_record *record, struct ses_record *ret_winner);
/* Within a transaction of the application, see <sesame/ext/provider.h>. SES_ERR_UNSUPPORTED. */
int store_load_within(struct store *store, void *connection, const struct ses_key *key,
                      int64_t now_ms, struct ses_record *ret_record);
int store_create_within(struct store *store, void *connection, const struct ses_key *key,
                        int64_t now_ms, const struct ses_record *record);
int store_save_within(struct store *store, void *connection, const struct ses_key *key,
                      int64_t now_ms, uint64_t expected, const struct ses_record *record);

int store_touch(struct store *store, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                int64_t expires_ms);
int store_destroy(struct store *store, const struct ses_key *key, int64_t now_ms);
int store_gc(struct store *store, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step);
int store_count(struct store *store, int64_t now_ms, uint64_t *ret_count);
int store_iterate(struct store *store, int64_t now_ms, ses_record_fn *fn, void *arg);
int store_list(struct store *store, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
               void *arg);
int store_ping(struct store *store);
bool store_has_list(const struct store *store);

#endif
