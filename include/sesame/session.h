/* SPDX-License-Identifier: MIT */
#ifndef SESAME_SESSION_H
#define SESAME_SESSION_H

/**
 * @file
 * A session: a snapshot of what is stored, plus the changes of this request.
 *
 * Reading never blocks anyone. ses_commit() replays the changes on the newest
 * snapshot, so parallel requests of one session lose nothing of each other's.
 *
 * @code
 * ses_session *session;
 * int r = ses_start(manager, &request, &session);
 * if (r < 0)
 *     return answer(503, ses_strerror(r));
 * int64_t visits = 0;
 * (void)ses_get_int(session, "visits", &visits);           // 0 stays when there is none yet
 * r = ses_increment(session, "visits", 1);
 * const struct ses_headers *headers;
 * if (r == SES_OK)
 *     r = ses_commit(session, &headers);                   // before the first byte of the response
 * ...send headers->text and the page...
 * ses_release(session);
 * @endcode
 *
 * A session belongs to one thread at a time. It may be handed from thread to thread.
 * Keys are non-empty UTF-8 text of at most `maxKeyBytes`.
 * Codes that every call on a session may return beside its own: #SES_ERR_INVALID (a key
 * or text that is not UTF-8, an empty or too long key, a change after ses_commit()),
 * #SES_ERR_GONE (a change after ses_destroy()), #SES_ERR_NO_MEMORY. Calls that reach the
 * store may also return #SES_ERR_UNAVAILABLE and whatever else it failed with.
 */

#include <sesame/common.h>
#include <sesame/error.h>
#include <sesame/http.h>
#include <sesame/manager.h>

SES_BEGIN_DECLS

/** A session of one request. */
typedef struct ses_session ses_session;

/** Of which type a value is. */
enum ses_type {
    SES_TYPE_ABSENT = 0, /**< there is no such value */
    SES_TYPE_NULL,       /**< null */
    SES_TYPE_BOOL,       /**< true or false */
    SES_TYPE_INT,        /**< 64-bit signed integer */
    SES_TYPE_DOUBLE,     /**< IEEE 754 binary64 */
    SES_TYPE_TEXT,       /**< UTF-8 */
    SES_TYPE_BYTES,      /**< any bytes */
    SES_TYPE_OTHER       /**< a nested array or map, as CBOR */
};

/** A value. Which members count is told by the type; the others are zero. */
struct ses_value {
    enum ses_type type;     /**< see enum ses_type */
    bool boolean;           /**< of BOOL */
    int64_t integer;        /**< of INT */
    double number;          /**< of DOUBLE */
    struct ses_slice bytes; /**< of TEXT and BYTES; of OTHER: the CBOR item */
};

/** About a session. Texts are borrowed until its release. */
struct ses_info {
    size_t size;            /**< sizeof(struct ses_info), set by the caller */
    bool is_new;            /**< not stored yet, or since this request only */
    int64_t created_ms;     /**< Unix milliseconds */
    int64_t expires_ms;     /**< when it ends if nobody uses it again, Unix milliseconds */
    const char *user;       /**< who is logged in; NULL: nobody */
    int level;              /**< of authentication (enum ses_level); 0: none */
    const char *peer;       /**< who created it, or logged in; NULL: unknown */
    const char *user_agent; /**< likewise */
    char handle[33];        /**< public name, neither id nor key: safe to show; "" while new */
    int64_t auth_ms;        /**< when the user authenticated, Unix milliseconds; 0: never */
    int64_t seen_ms;        /**< when it was used last, to the touch threshold, Unix milliseconds */
    int64_t end_ms;         /**< when it ends however it is used, Unix milliseconds; 0: never */
    /** When an id that it had had before came back, Unix milliseconds; 0: never. Of a new session:
     *  the one that this browser had was ended for it; told until that one would have expired. */
    int64_t suspected_ms;
    bool remembered; /**< ses_list(): no session, but a browser that would be logged in again */
};

/* ---- life of a session ---- */

/**
 * Finds the session of a request, or makes a new, empty, unsaved one.
 *
 * No cookie: no store call. Unknown, expired and forged ids end in a new session with a new
 * id, and an event; what a client sends is never adopted (ASVS 5.0 7.2.3, RFC 6265bis 8.4).
 *
 * @param ret_session  yours until ses_release()
 * @return #SES_OK, #SES_ERR_UNAVAILABLE (the store is down: answer 503, never "logged
 *   out"), #SES_ERR_ABI. Any thread.
 */
SES_API SES_MUST_USE int ses_start(ses_manager *manager, const struct ses_request *request,
                                   ses_session **ret_session);

/**
 * The same without HTTP: by id, for WebSockets, RPC and tests; NULL makes a new session.
 * @return #SES_OK, #SES_ERR_NOT_FOUND (unknown, expired, ended or malformed). Any thread.
 */
SES_API SES_MUST_USE int ses_open(ses_manager *manager, const char *id_or_null,
                                  ses_session **ret_session);

/**
 * Stores the changes and makes the headers to send.
 *
 * Nothing changed and the expiry fresh: no store call. Idempotent: a second call answers the
 * same. Afterwards values can still be read, and a change is #SES_ERR_INVALID.
 *
 * @param ret_headers  borrowed until release; may be NULL
 * @return #SES_OK, #SES_ERR_CONFLICT (more replays than `maxReplays`), #SES_ERR_GONE (the
 *   session was ended or its id replaced meanwhile), #SES_ERR_TOO_LARGE, #SES_ERR_WRONG_TYPE
 *   (an increment met something else), #SES_ERR_FULL; on each, nothing was stored.
 *   #SES_ERR_UNAVAILABLE: it may or may not have been stored.
 */
SES_API SES_MUST_USE int ses_commit(ses_session *session, const struct ses_headers **ret_headers);

/**
 * The same within a transaction of the application, so that its own rows and the session change
 * together or not at all. Providers `mysql` and `postgres`.
 *
 * The stored session is read and locked first, so that the changes are made on what is stored now;
 * other requests that store it wait until the transaction ends, so end it soon. Without changes it
 * is ses_commit(). When the transaction is rolled back, what was committed here is not stored: go
 * on with ses_reload(), and make the changes again; of a session that was new, with another one.
 * The id is not changed by time here, but by the next ses_commit().
 *
 * @param connection  borrowed: `MYSQL *` for mysql, `PGconn *` for postgres, to the database that
 *   has the sessions' table, with a transaction open on it and no result unread. Its user needs
 *   SELECT, INSERT and UPDATE on that table.
 * @return as ses_commit(), and #SES_ERR_UNSUPPORTED (the provider has no transactions; the cookie
 *   holds the session), #SES_ERR_INVALID (@p connection has no open transaction).
 *   #SES_ERR_CONFLICT and #SES_ERR_UNAVAILABLE: roll back; nothing was stored, and the changes are
 *   still pending. The thread that uses @p connection.
 */
SES_API SES_MUST_USE int ses_commit_within(ses_session *session, void *connection,
                                           const struct ses_headers **ret_headers);

/** Reads the newest snapshot. Changes not yet committed stay on top of it, but for those of a
 * commit whose outcome is unknown; they are dropped. A committed session can be changed again, as a
 *  WebSocket does; what was handed out stays until release, so let one that lives for hours go now
 *  and then. @return #SES_OK, #SES_ERR_GONE. */
SES_API SES_MUST_USE int ses_reload(ses_session *session);

/** Frees the session. Changes that were not committed are not stored; an event says so. Accepts
 *  NULL. */
SES_API void ses_release(ses_session *session);

/** Gives the session a new id at once, values and pending changes included; the old id is dead
 *  (ASVS 5.0 7.2.4). Do it at every change of privilege. @return #SES_OK, #SES_ERR_GONE,
 *  #SES_ERR_CONFLICT, #SES_ERR_NO_RANDOMNESS, and as ses_commit(). */
SES_API SES_MUST_USE int ses_regenerate(ses_session *session);

/** Ends the session at once, for good: no save that is under way brings it back. ses_commit() then
 *  removes the cookie, also when the store was #SES_ERR_UNAVAILABLE. @return #SES_OK. */
SES_API SES_MUST_USE int ses_destroy(ses_session *session);

/** Is there such a session? @return #SES_OK, #SES_ERR_NOT_FOUND. Any thread. */
SES_API SES_MUST_USE int ses_exists(ses_manager *manager, const char *id);

/** Ends the session of that id, if there is one. @return #SES_OK, #SES_ERR_NOT_FOUND. Any thread.
 */
SES_API SES_MUST_USE int ses_destroy_id(ses_manager *manager, const char *id);

/** The secret id, made now if the session is new; NULL when the kernel gives no randomness. Valid
 *  until regenerate or release. Never log it. */
SES_API const char *ses_session_id(ses_session *session);

/** Fills @p ret_info, whose size the caller has set. @return #SES_OK, #SES_ERR_ABI. */
SES_API int ses_info(ses_session *session, struct ses_info *ret_info);

/* ---- reading: what ret_ parameters point at stays valid until release ---- */

/** The type of a value; #SES_TYPE_ABSENT also for an impossible key. */
SES_API enum ses_type ses_type_of(ses_session *session, const char *key);

/** A text, NUL-terminated. @return #SES_OK, #SES_ERR_NOT_FOUND, #SES_ERR_WRONG_TYPE (also for a
 *  text, written by another language, that holds a NUL). */
SES_API int ses_get_text(ses_session *session, const char *key, const char **ret_text);

/** Bytes, or the bytes of a text. @return #SES_OK, #SES_ERR_NOT_FOUND, #SES_ERR_WRONG_TYPE. */
SES_API int ses_get_bytes(ses_session *session, const char *key, struct ses_slice *ret_bytes);

/** An integer. @return #SES_OK, #SES_ERR_NOT_FOUND, #SES_ERR_WRONG_TYPE. */
SES_API int ses_get_int(ses_session *session, const char *key, int64_t *ret_value);

/** A double. @return #SES_OK, #SES_ERR_NOT_FOUND, #SES_ERR_WRONG_TYPE. */
SES_API int ses_get_double(ses_session *session, const char *key, double *ret_value);

/** A boolean. @return #SES_OK, #SES_ERR_NOT_FOUND, #SES_ERR_WRONG_TYPE. */
SES_API int ses_get_bool(ses_session *session, const char *key, bool *ret_value);

/** Any value as its CBOR item. @return #SES_OK, #SES_ERR_NOT_FOUND. */
SES_API int ses_get_cbor(ses_session *session, const char *key, struct ses_slice *ret_item);

/** Called for each value, in the order of the record. @p key is NUL-terminated. Not 0 stops. */
typedef int ses_value_fn(void *arg, const char *key, const struct ses_value *value);

/** Calls @p fn for each value, pending changes included. @p fn does not change the session.
 *  @return #SES_OK, or what @p fn returned. */
SES_API int ses_each(ses_session *session, ses_value_fn *fn, void *arg);

/* ---- changing: noted now, stored by ses_commit() ---- */

/** Sets a text. Copied. @return #SES_OK, #SES_ERR_TOO_LARGE (`maxValueBytes`). */
SES_API SES_MUST_USE int ses_set_text(ses_session *session, const char *key, const char *text);

/** Sets bytes. Copied. @return #SES_OK, #SES_ERR_TOO_LARGE. */
SES_API SES_MUST_USE int ses_set_bytes(ses_session *session, const char *key,
                                       struct ses_slice bytes);

/** Sets an integer. @return #SES_OK. */
SES_API SES_MUST_USE int ses_set_int(ses_session *session, const char *key, int64_t value);

/** Sets a double; every NaN becomes the one NaN. @return #SES_OK. */
SES_API SES_MUST_USE int ses_set_double(ses_session *session, const char *key, double value);

/** Sets a boolean. @return #SES_OK. */
SES_API SES_MUST_USE int ses_set_bool(ses_session *session, const char *key, bool value);

/** Sets null: a value that is there. @return #SES_OK. */
SES_API SES_MUST_USE int ses_set_null(ses_session *session, const char *key);

/** Sets one item of deterministic CBOR (RFC 8949 4.2; docs/internals/record.md has the subset).
 *  Copied. @return #SES_OK, #SES_ERR_INVALID (anything else), #SES_ERR_TOO_LARGE. */
SES_API SES_MUST_USE int ses_set_cbor(ses_session *session, const char *key, struct ses_slice item);

/** Removes a value. @return #SES_OK, also when there was none. */
SES_API SES_MUST_USE int ses_delete(ses_session *session, const char *key);

/** Removes all values; the session itself stays. @return #SES_OK. */
SES_API SES_MUST_USE int ses_clear(ses_session *session);

/** Adds @p delta; absent counts as 0. Parallel increments add up. @return #SES_OK,
 *  #SES_ERR_WRONG_TYPE, #SES_ERR_TOO_LARGE (over 64 bits); ses_commit() may still find either. */
SES_API SES_MUST_USE int ses_increment(ses_session *session, const char *key, int64_t delta);

/**
 * Makes a value's next from its current (type ABSENT if there is none); a next of type ABSENT
 * removes it. What @p ret_next points at is copied at once. May run many times, does not touch the
 * session. @return 0, or a code that fails the call or the commit as it is.
 */
typedef int ses_update_fn(void *arg, const struct ses_value *current, struct ses_value *ret_next);

/** Notes a change that is computed from the value: run now, and again on every replay of the
 *  commit, so that a cart kept in one value loses nothing. @p arg stays valid until the commit.
 *  @return #SES_OK, or what @p fn returned. */
SES_API SES_MUST_USE int ses_update(ses_session *session, const char *key, ses_update_fn *fn,
                                    void *arg);

/** Takes a value out of the store at once: of many that ask, exactly one gets it.
 *  @return #SES_OK, #SES_ERR_NOT_FOUND, #SES_ERR_CONFLICT, #SES_ERR_GONE. */
SES_API SES_MUST_USE int ses_take(ses_session *session, const char *key,
                                  struct ses_value *ret_value);

/** Gives this session timeouts of its own, in seconds; 0: the manager's. @return #SES_OK. */
SES_API SES_MUST_USE int ses_set_lifetime(ses_session *session, uint32_t idle_s,
                                          uint32_t absolute_s);

SES_END_DECLS

#endif
