/* SPDX-License-Identifier: MIT */
#ifndef SESAME_MANAGER_H
#define SESAME_MANAGER_H

/**
 * @file
 * The manager: configuration, the store, and what goes on in it.
 *
 * One manager serves the whole process, from any number of threads.
 *
 * @code
 * struct ses_error error;
 * ses_manager *manager =
 *     ses_manager_new("memory", "{\"cookieName\":\"gosessionid\",\"gclifetime\":3600}", NULL,
 * &error); if (!manager) errx(2, "sessions: %s", error.message);
 * @endcode
 */

#include <sesame/common.h>
#include <sesame/error.h>

SES_BEGIN_DECLS

/** Configuration, store and counters. Counted; safe in any thread. */
typedef struct ses_manager ses_manager;

/** How loud a log line is. */
enum ses_log_level {
    SES_LOG_ERROR = 1, /**< something is broken */
    SES_LOG_WARNING,   /**< somebody should look at it */
    SES_LOG_INFO,      /**< once per start or stop */
    SES_LOG_DEBUG      /**< detail of an ordinary outcome */
};

/** Receives one line, without newline. Called from any thread; @p message is borrowed.
 *  No id, key, cookie or value is ever in it. */
typedef void ses_log_fn(void *arg, enum ses_log_level level, const char *message);

/** What happened. */
enum ses_event_type {
    SES_EVENT_CREATED = 1, /**< a session was stored for the first time */
    SES_EVENT_LOADED,      /**< a request found its session */
    SES_EVENT_REJECTED,    /**< a request's id was refused; see reason */
    SES_EVENT_REGENERATED, /**< a session changed its id; fingerprint is the new one's */
    SES_EVENT_DESTROYED,   /**< a session was ended */
    SES_EVENT_EXPIRED,     /**< a session was found past a limit */
    SES_EVENT_REPLAYED,    /**< a commit met others and was replayed; see replays */
    SES_EVENT_UNCOMMITTED, /**< changes were released without a commit: they are lost */
    SES_EVENT_STORE_ERROR, /**< the provider failed; see code */
    SES_EVENT_LOGIN,       /**< a user logged in or stepped up; fingerprint is the new id's */
    SES_EVENT_RENEWED,     /**< an id was changed by time; fingerprint is the new one's */
    SES_EVENT_THEFT,       /**< an id came back that was replaced long ago: it may be stolen */
    SES_EVENT_BINDING,     /**< a session came from elsewhere; see reason */
    SES_EVENT_CSRF,        /**< a CSRF token was refused */
    SES_EVENT_SCAN,        /**< a peer sends made-up ids, more than `scanLimit` a minute */
    SES_EVENT_STORE_LOST,  /**< the store does not answer: calls fail at once until it is back */
    SES_EVENT_STORE_BACK   /**< it answers again */
};

/** Why an id was refused. The visitor only ever learns "no valid session". */
enum ses_reason {
    SES_REASON_NONE = 0,  /**< not a rejection */
    SES_REASON_MALFORMED, /**< not of the form that we give out; cost no store call */
    SES_REASON_UNKNOWN,   /**< well-formed, but no record: made up, ended or long expired */
    SES_REASON_EXPIRED,   /**< past the idle or the absolute timeout */
    SES_REASON_CUT,       /**< replaced by a new id at a log-in or regenerate */
    SES_REASON_CORRUPT,   /**< its record does not decode */
    SES_REASON_TOO_MANY,  /**< more cookies of our name than one request may have tried */
    SES_REASON_ENDED,     /**< ended a moment ago, by a log-out or from elsewhere */
    SES_REASON_STOLEN,    /**< replaced long ago, or ended because such an id had come back */
    SES_REASON_AGENT,     /**< another browser than at log-in (`bindUserAgent`) */
    SES_REASON_NETWORK,   /**< another network than at log-in (`bindNetwork`) */
    SES_REASON_SCANNING   /**< not looked up: its sender tries too many (`scanAction`) */
};

/** One event. Borrowed for the call. */
struct ses_event {
    size_t size;              /**< sizeof(struct ses_event) of the library */
    enum ses_event_type type; /**< what happened */
    enum ses_reason reason;   /**< why, of a rejection */
    int code;                 /**< the provider's code, of a store error */
    uint32_t replays;         /**< how many, of a replayed commit */
    uint64_t fingerprint;     /**< salted hash of the id, equal for equal ids; 0: none */
    const char *peer;         /**< who asked, as far as it is known; or NULL */
    const char *user;         /**< whose session it is; NULL: nobody's, or not known */
};

/**
 * Receives events, from any thread, after the act and without any lock held. It can
 * neither veto nor delay what happened; it may call into sesame, but not on the
 * session that the event is about. What ses_start() tells of an id that it refuses or
 * suspects, #SES_EVENT_STORE_ERROR, and the end of a session that makes room for a log-in come
 * while the call that met them goes on: whoever leaves through the hook there, by longjmp() or an
 * exception, loses the memory that it holds, and that call has not done what it was asked for. Each
 * other event comes once all is done in the store.
 */
typedef void ses_event_fn(void *arg, const struct ses_event *event);

/** Returns the time in Unix milliseconds. Called from any thread. */
typedef int64_t ses_clock_fn(void *arg);

/** What JSON cannot carry. Zero means "the default" for every member. */
struct ses_manager_options {
    size_t size;         /**< sizeof(struct ses_manager_options) */
    ses_log_fn *log;     /**< default: silent */
    void *log_arg;       /**< handed to log */
    ses_event_fn *event; /**< default: none */
    void *event_arg;     /**< handed to event */
    ses_clock_fn *clock; /**< default: the system's real time */
    void *clock_arg;     /**< handed to clock */
};

/** Counters since ses_manager_new(), and never reset. */
struct ses_stats {
    size_t size;           /**< sizeof(struct ses_stats), set by the caller */
    uint64_t started;      /**< requests that asked for their session */
    uint64_t loaded;       /**< of them, how many had one */
    uint64_t created;      /**< sessions stored for the first time */
    uint64_t saved;        /**< commits that wrote changes */
    uint64_t touched;      /**< commits that only moved the expiry */
    uint64_t replayed;     /**< replays, over all commits */
    uint64_t conflicts;    /**< commits given up after too many replays */
    uint64_t regenerated;  /**< changes of id */
    uint64_t destroyed;    /**< sessions ended by a call */
    uint64_t expired;      /**< sessions found past a limit at load */
    uint64_t collected;    /**< records freed by gc */
    uint64_t uncommitted;  /**< releases that lost changes */
    uint64_t store_errors; /**< failures of the provider */
    uint64_t malformed;    /**< refused ids: not of our form */
    uint64_t unknown;      /**< refused ids: no record */
    uint64_t cut;          /**< refused ids: replaced by a new one */
    uint64_t corrupt;      /**< refused ids: record does not decode */
    uint64_t ended;        /**< refused ids: ended a moment ago, or for a theft */
    uint64_t logins;       /**< log-ins, step-ups and remembered log-ins */
    uint64_t renewed;      /**< ids that were changed by time */
    uint64_t thefts;       /**< ids that came back after they had been replaced */
    uint64_t bindings;     /**< sessions that came from elsewhere */
    uint64_t csrf;         /**< CSRF tokens refused */
    uint64_t scans;        /**< peers found scanning */
    uint64_t scanning;     /**< refused ids: their sender tries too many */
    uint64_t stores_lost;  /**< times that the store was found not to answer any more */
};

/**
 * Makes a manager and opens its store.
 *
 * @param provider     "memory", or the name of a provider that was registered or is a module
 * @param config_json  an object; NULL or "" for the defaults. docs/configuration.md has the keys
 * @param options      copied; may be NULL
 * @param error        filled in on failure; may be NULL
 * @return a new reference, or NULL: #SES_ERR_INVALID (the message says which key, and what
 *   would be right), #SES_ERR_UNAVAILABLE, #SES_ERR_UNSUPPORTED, #SES_ERR_ABI, #SES_ERR_NO_MEMORY,
 *   #SES_ERR_NO_RANDOMNESS, or what else the provider's open() answered
 */
SES_API SES_MUST_USE ses_manager *ses_manager_new(const char *provider, const char *config_json,
                                                  const struct ses_manager_options *options,
                                                  struct ses_error *error);

/** @return @p manager, as a new reference. Any thread. */
SES_API ses_manager *ses_manager_ref(ses_manager *manager);

/** Drops a reference; the last one stops gc and closes the store. Accepts NULL. A session
 *  holds a reference of its own, so the order of release does not matter. Any thread; the last one
 *  not from gc's own, as in an event hook. */
SES_API void ses_manager_unref(ses_manager *manager);

/** Is the store there? For health checks. @return #SES_OK, #SES_ERR_UNAVAILABLE. Any thread. */
SES_API SES_MUST_USE int ses_manager_ping(ses_manager *manager);

/** Fills @p ret_stats, whose size the caller has set. @return #SES_OK, #SES_ERR_ABI. Any thread. */
SES_API int ses_manager_stats(ses_manager *manager, struct ses_stats *ret_stats);

/**
 * Frees the space of expired records now. Expired sessions are refused with or without it.
 *
 * @param budget_records  look at about so many records at most; 0: at all that are due
 * @param ret_removed     how many were freed; may be NULL
 * @return #SES_OK, #SES_ERR_UNAVAILABLE. Any thread.
 */
SES_API SES_MUST_USE int ses_gc(ses_manager *manager, uint32_t budget_records,
                                uint64_t *ret_removed);

/** Starts a thread that runs ses_gc() every `gclifetime` seconds, in small steps. Does not
 *  survive fork(): a child that wants it starts it again. @return #SES_OK, #SES_ERR_EXISTS
 *  (it runs already), #SES_ERR_NO_MEMORY. Any thread. */
SES_API SES_MUST_USE int ses_gc_start(ses_manager *manager);

/** Stops that thread and waits for its end. Does nothing if none runs. Any thread but that one: not
 *  from an event hook or a log function. */
SES_API void ses_gc_stop(ses_manager *manager);

/** Receives one line of text, without newline; borrowed for the call. */
typedef void ses_line_fn(void *arg, const char *line);

/** Tells the policy in force, line by line, and each way in which it falls short of @p preset
 *  ("asvs-l1" to "asvs-l3", "aal1" to "aal3", in any case; NULL: of the configured one, if there is
 *  one), ASVS 5.0 7.1.1. Lines of a shortfall begin with "short of ", and what no setting can meet
 *  with "beyond ". No secret is in it, nor the limits of the provider. @return #SES_OK,
 *  #SES_ERR_INVALID (no such preset; nothing was told). Any thread. */
SES_API SES_MUST_USE int ses_manager_policy(ses_manager *manager, const char *preset,
                                            ses_line_fn *fn, void *arg);

/** Counts the sessions alive. @return #SES_OK, #SES_ERR_UNSUPPORTED, #SES_ERR_UNAVAILABLE.
 *  Any thread. */
SES_API SES_MUST_USE int ses_count(ses_manager *manager, uint64_t *ret_count);

struct ses_provider_ops;

/** Makes a provider of your own known under its name, for the whole process. @p ops stays
 *  valid for ever. @return #SES_OK, #SES_ERR_EXISTS, #SES_ERR_INVALID (a required member is
 *  missing), #SES_ERR_ABI, #SES_ERR_FULL. Any thread. */
SES_API SES_MUST_USE int ses_provider_register(const struct ses_provider_ops *ops);

SES_END_DECLS

#endif
