/* SPDX-License-Identifier: MIT */
#ifndef SESAME_EXT_PROVIDER_H
#define SESAME_EXT_PROVIDER_H

/**
 * @file
 * Writing a storage provider.
 *
 * A provider keeps opaque records under opaque keys: bytes, a version, an expiry
 * and a kind. It knows nothing of cookies, ids, timeouts, merging or encoding;
 * the manager does all of that. examples/provider/ is a small complete one to start from.
 *
 * Contract
 *  - The core allocates ops->instance_size zeroed bytes, stores the provider's
 *    settings in them, and passes them to every operation as @p self. No
 *    operation runs before open() succeeded or after close(); close() also runs
 *    on an instance whose open() failed, so it accepts a half-open one.
 *  - Operations on one instance run concurrently in any number of threads.
 *  - The core validates arguments: pointers are not NULL, versions are not 0.
 *  - Time is passed in (`now_ms`, Unix milliseconds). A provider reads no clock.
 *    A record is alive while `now_ms < expires_ms`; an expired one counts as
 *    absent in every operation but load, collected or not.
 *  - load never extends. Only touch and save move the expiry.
 *  - Destroy wins: once destroy() has returned, no save or touch that was ever
 *    started brings the record back.
 *  - A record of kind MOVED or DEAD never becomes a session or token again, belongs to no user,
 *    and a store at its limits still takes one in the place of a session: it is how a session ends.
 *  - Besides the codes named below, create and save may answer #SES_ERR_TOO_LARGE (more
 *    bytes than the store keeps in one record), and every operation a failure.
 *  - An operation that answers #SES_ERR_UNAVAILABLE may or may not have taken
 *    place. A provider never repeats a write by itself.
 *  - Details of a failure go through ses_provider_fail(), which returns the code
 *    it is given, so an error path is one line. No key and no byte of a record in it.
 *
 * Stability: members are only ever added at the end of struct ses_provider_ops
 * (older builds are recognised by `size`); any other change bumps
 * #SES_PROVIDER_ABI.
 */

#include <string.h>

#include <sesame/blob.h>
#include <sesame/error.h>

SES_BEGIN_DECLS

/** The contract's number; see "Stability" above. */
#define SES_PROVIDER_ABI 1u

/** Bytes of a key, and of the hash of a user: both are SHA-256 values. */
#define SES_KEY_BYTES 32

/** ops->flags: the store drops expired records by itself; gc() may be NULL. */
#define SES_PROVIDER_EXPIRES (1u << 0)

/** The core's side of an open provider: what a provider may call back. */
typedef struct ses_provider_host ses_provider_host;

/** Where a record lives: the hash of realm and id, evenly spread. */
struct ses_key {
    unsigned char bytes[SES_KEY_BYTES]; /**< opaque */
};

/** What a record is. Sessions are counted; sessions and tokens are shown by iterate and list. */
enum ses_kind {
    SES_KIND_SESSION = 1, /**< a session */
    SES_KIND_MOVED = 2,   /**< its id was renewed; points at the new one */
    SES_KIND_DEAD = 3,    /**< it was ended, or its id cut at a log-in; stays for a while */
    SES_KIND_TOKEN = 4    /**< a remembered log-in */
};

/** Is this what somebody may come back for, and not what is left of it? */
static inline bool ses_kind_is_live(enum ses_kind kind)
{
    return kind == SES_KIND_SESSION || kind == SES_KIND_TOKEN;
}

/** A record, as it travels between the core and a provider. */
struct ses_record {
    ses_blob *data;     /**< one reference, owned by whoever holds the struct */
    uint64_t version;   /**< random, new at each save, never 0 */
    int64_t expires_ms; /**< when the record stops being alive, Unix milliseconds */
    enum ses_kind kind; /**< see enum ses_kind */
};

/** Whose record it is. Given at create, never changed. */
struct ses_owner {
    struct ses_key user; /**< hash of realm and user name */
    /** With this many sessions alive already, create answers #SES_ERR_DENIED,
     *  decided atomically among parallel creates; 0: no limit. */
    uint32_t limit;
};

/** What one bounded step of gc did. */
struct ses_gc_step {
    uint64_t removed; /**< records whose space was freed */
    bool more;        /**< the budget ended the step, not the work */
};

/** Called for each record, without any lock held. @p record is borrowed. Not 0 stops. */
typedef int ses_record_fn(void *arg, const struct ses_key *key, const struct ses_record *record);

/** Of which C type a setting's member in the instance is. */
enum ses_setting_type {
    SES_SETTING_BOOL = 1, /**< bool */
    SES_SETTING_INT,      /**< int64_t, from min to max */
    SES_SETTING_TEXT,     /**< const char *, min to max bytes; stays valid until close() */
    SES_SETTING_CHOICE, /**< int, an index into choices; with max > 0 the JSON numbers min..max too
                         */
    SES_SETTING_LIST    /**< const char *: the texts of an array, or one text, joined by commas */
};

/** A member of the JSON configuration, beside "ProviderConfig", that a provider declares. */
struct ses_setting {
    const char *name;           /**< as documented; matched without regard to case */
    enum ses_setting_type type; /**< see enum ses_setting_type */
    size_t offset;  /**< offsetof(your state, member); the core writes it before open() */
    int64_t min;    /**< smallest number, or shortest text in bytes */
    int64_t max;    /**< largest number, or longest text in bytes */
    int64_t preset; /**< what applies when the key is absent; a text's is NULL */
    const char *const *choices; /**< NULL-terminated, of a CHOICE */
};

/** A provider. Static and constant; one per store technology. */
struct ses_provider_ops {
    size_t size;                        /**< sizeof(struct ses_provider_ops) */
    uint32_t abi;                       /**< #SES_PROVIDER_ABI */
    uint32_t flags;                     /**< SES_PROVIDER_* */
    const char *name;                   /**< "redis": [a-z0-9_], the configuration's name for it */
    size_t instance_size;               /**< sizeof(your state struct) */
    const struct ses_setting *settings; /**< ended by one whose name is NULL; may be NULL */

    /* ---- life time ---- */

    /** Connect to or make the store. @p config is the text of "ProviderConfig", "" if
     *  absent. Required. */
    int (*open)(void *self, ses_provider_host *host, const char *config);

    /** Release all that @p self holds, not @p self. Required. */
    void (*close)(void *self);

    /* ---- one record ---- */

    /** The record, whatever its kind. #SES_ERR_NOT_FOUND. One that has expired may be handed
     *  over if it is still there: the core judges it, and so tells expired from unknown. Required.
     */
    int (*load)(void *self, const struct ses_key *key, int64_t now_ms,
                struct ses_record *ret_record);

    /** Store a record where none is alive. @p owner may be NULL. #SES_ERR_EXISTS,
     *  #SES_ERR_DENIED (owner->limit), #SES_ERR_FULL. Required. */
    int (*create)(void *self, const struct ses_key *key, int64_t now_ms,
                  const struct ses_owner *owner, const struct ses_record *record);

    /** Replace the record if it is alive and of version @p expected, atomically.
     *  #SES_ERR_CONFLICT if it is of another: then, and only then, @p ret_winner
     *  is filled with the record as it stands. #SES_ERR_NOT_FOUND, #SES_ERR_FULL. Required. */
    int (*save)(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                const struct ses_record *record, struct ses_record *ret_winner);

    /** Move the expiry forward (never back: then nothing changes, and it is OK) if the
     *  record is alive and of version @p expected; the version stays.
     *  #SES_ERR_CONFLICT, #SES_ERR_NOT_FOUND, #SES_ERR_FULL. Required. */
    int (*touch)(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                 int64_t expires_ms);

    /** Remove the record; #SES_OK also when there was none. Required. */
    int (*destroy)(void *self, const struct ses_key *key, int64_t now_ms);

    /* ---- the whole store ---- */

    /** Look at about @p budget records at most (1 or more), and free those that expired. Locks are
     * held for a bounded time. Optional with #SES_PROVIDER_EXPIRES. */
    int (*gc)(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step);

    /** Count the sessions alive. Optional. */
    int (*count)(void *self, int64_t now_ms, uint64_t *ret_count);

    /** Call @p fn for each session and token alive; stop at its first result that is not 0, and
     * return that. A session alive from start to end is shown once. Optional. */
    int (*iterate)(void *self, int64_t now_ms, ses_record_fn *fn, void *arg);

    /** Call @p fn for each record alive that is @p user 's, as iterate does, as they stand together
     *  at one moment of the call. What it does not show does not exist. Optional; without it create
     * ignores owners. */
    int (*list)(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
                void *arg);

    /** Is the store there? Optional: then it always is. */
    int (*ping)(void *self);

    /* ABI 1 ends here; what follows came later, and an older build lacks it. */

    /* ---- one record, within a transaction of the application ---- */

    /* All three, or none. They act through @p connection, which is the application's own, of the
     * client library that the provider uses, and in a transaction that the application began and
     * will end: until then nobody else sees what they did. They wait no longer than the other
     * operations. #SES_ERR_INVALID: no transaction is open on it. #SES_ERR_CONFLICT: the database
     * gave the transaction up, and all of it may be tried anew. */

    /** As load, of what is stored now, whatever the transaction has read before (or
     *  #SES_ERR_CONFLICT); and nobody else changes or removes it until the transaction ends. */
    int (*load_within)(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                       struct ses_record *ret_record);

    /** As create, of nobody's record. */
    int (*create_within)(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                         const struct ses_record *record);

    /** As save, of a record that load_within has locked. */
    int (*save_within)(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                       uint64_t expected, const struct ses_record *record);
};

/** Reports one line of detail through the manager's log. @return @p code. Any thread. */
SES_API SES_PRINTF(3, 4) int ses_provider_fail(ses_provider_host *host, int code,
                                               const char *format, ...);

/** Tells that the store does not answer any more, or does again, for the manager's events
 *  #SES_EVENT_STORE_LOST and #SES_EVENT_STORE_BACK: once for each change, and without a lock held,
 *  because the hook may call into sesame. Any thread. */
SES_API void ses_provider_reachable(ses_provider_host *host, bool reachable);

/** Compares in constant time: how long it takes does not tell where two keys differ. */
static inline bool ses_key_equal(const struct ses_key *a, const struct ses_key *b)
{
    uint64_t left[SES_KEY_BYTES / 8], right[SES_KEY_BYTES / 8], differ = 0;
    memcpy(left, a->bytes, sizeof left);
    memcpy(right, b->bytes, sizeof right);
    for (size_t i = 0; i < SES_KEY_BYTES / 8; i++)
        differ |= left[i] ^ right[i];
    return differ == 0;
}

SES_END_DECLS

#endif
