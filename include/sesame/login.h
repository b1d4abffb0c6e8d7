/* SPDX-License-Identifier: MIT */
#ifndef SESAME_LOGIN_H
#define SESAME_LOGIN_H

/**
 * @file
 * Who is logged in, how surely, and where else.
 *
 * The application checks the password; these calls do the rest. A log-in gives a new id at once,
 * and the old one is dead (ASVS 5.0 7.2.4). What needs to act at once does: log-in, step-up and
 * log-out have happened when they return, and ses_commit() sends the cookies.
 *
 * @code
 * if (ses_csrf_check(session, form_field("csrf")) != SES_OK)
 *     return answer(403, "this form is not from here, or too old");
 * r = ses_login(session, "alice", SES_LEVEL_FULL, SES_LOGIN_REMEMBER);
 * ...
 * if (ses_require(session, SES_LEVEL_FULL, 300) != SES_OK)      // before changing the password
 *     return redirect("/login?again");
 * ...
 * r = ses_end_user(manager, "alice", session);                  // "log out everywhere else"
 * @endcode
 *
 * A user is a name that the application chooses: UTF-8 of 1 to #SES_USER_MAX bytes without control
 * characters. Codes are as in session.h; the calls on users need a provider that keeps an index by
 * user, and answer #SES_ERR_UNSUPPORTED without.
 */

#include <sesame/session.h>

SES_BEGIN_DECLS

/** The longest name of a user, in bytes. */
#define SES_USER_MAX 255

/** How surely the visitor has shown who it is. A session never claims more than the
 *  authentication event that it stems from (NIST SP 800-63B 7). */
enum ses_level {
    SES_LEVEL_NONE = 0,   /**< nobody is logged in */
    SES_LEVEL_REMEMBERED, /**< by a remembered log-in only: good for a greeting */
    SES_LEVEL_PARTIAL,    /**< some of the factors that are asked for: no access yet */
    SES_LEVEL_FULL,       /**< all that an ordinary log-in asks for */
    SES_LEVEL_STRONG      /**< several factors */
};

/** Bits of ses_login(). */
enum ses_login_flag {
    /** The values of the session go along. Without it they are dropped, and so they are when
     *  somebody else was logged in. */
    SES_LOGIN_KEEP_DATA = 1 << 0,
    /** Also give the browser a longer-lived token that logs in by itself, at
     *  #SES_LEVEL_REMEMBERED, once this session has ended. Needs `rememberLifetime`. */
    SES_LOGIN_REMEMBER = 1 << 1
};

/** Bits of ses_logout(). */
enum ses_logout_flag {
    /** Ask the browser to forget what else it keeps of this site (ASVS 5.0 14.3.1). */
    SES_LOGOUT_CLEAR_SITE_DATA = 1 << 0
};

/* ---- one session ---- */

/**
 * Binds the session to a user: new id, new handle, new CSRF token, the absolute timeout starts
 * anew. The old id is dead at once, without grace. Changes that were made before count as data of
 * the anonymous session.
 *
 * @param level  #SES_LEVEL_PARTIAL to #SES_LEVEL_STRONG
 * @param flags  of enum ses_login_flag
 * @return #SES_OK, #SES_ERR_INVALID (user, level or flags), #SES_ERR_DENIED (the user has as many
 *   sessions as `maxSessionsPerUser` permits, and `whenUserFull` is "refuse"), #SES_ERR_GONE
 *   (after ses_destroy(); one that another request has ended or logged in meanwhile is no obstacle:
 *   this log-in gets a session of its own), #SES_ERR_CONFLICT, #SES_ERR_FULL,
 * #SES_ERR_NO_RANDOMNESS, #SES_ERR_UNSUPPORTED (#SES_LOGIN_REMEMBER without `rememberLifetime`). On
 * each nobody new is logged in.
 */
SES_API SES_MUST_USE int ses_login(ses_session *session, const char *user, enum ses_level level,
                                   unsigned flags);

/** Ends the session like ses_destroy(), and the remembered log-in of this browser with it.
 *  @param flags  of enum ses_logout_flag. @return #SES_OK; on #SES_ERR_UNAVAILABLE ses_commit()
 *  still removes the cookies. */
SES_API SES_MUST_USE int ses_logout(ses_session *session, unsigned flags);

/** The user has authenticated again, at this level or a higher one: new id, new CSRF token, the
 *  absolute timeout and ses_require()'s age start anew; the values and the handle stay.
 *  @return #SES_OK, #SES_ERR_NOT_FOUND (nobody is logged in), #SES_ERR_INVALID (a level below the
 *  present one, or out of range), and as ses_login(). */
SES_API SES_MUST_USE int ses_elevate(ses_session *session, enum ses_level level);

/** May a sensitive act go ahead? @param max_age_s  how long ago the user may have authenticated at
 *  most, in seconds; 0: at any time. @return #SES_OK, #SES_ERR_NOT_FOUND (nobody is logged in),
 *  #SES_ERR_DENIED (at a lower level, or too long ago: authenticate again, then ses_elevate()). */
SES_API SES_MUST_USE int ses_require(const ses_session *session, enum ses_level level,
                                     uint32_t max_age_s);

/** A token for forms and scripts, NUL-terminated; of base64url characters only. */
struct ses_csrf_token {
    char text[48]; /**< differs at each call, so that compressed pages do not leak it (BREACH) */
};

/** The session's CSRF token, masked anew (NIST SP 800-63B 7.1). Ask before ses_commit(): a new
 *  session is stored for it. Good until the next log-in, step-up or end.
 *  @return #SES_OK, #SES_ERR_GONE, #SES_ERR_INVALID (after the commit, and there is none yet),
 *  #SES_ERR_NO_RANDOMNESS. */
SES_API SES_MUST_USE int ses_csrf_token(ses_session *session, struct ses_csrf_token *ret_token);

/** Is @p token (NULL: absent) one of this session's? In constant time. @return #SES_OK,
 *  #SES_ERR_DENIED. */
SES_API SES_MUST_USE int ses_csrf_check(ses_session *session, const char *token);

/* ---- all sessions of a user ---- */

/** Called for each session. @p info is borrowed for the call. Not 0 stops, and is returned. */
typedef int ses_info_fn(void *arg, const struct ses_info *info);

/** Shows the sessions of a user, and the browsers that are remembered without one; NULL: of
 *  everybody, each session and each remembered log-in in a line of its own. What is not shown does
 * not exist. @return #SES_OK, what @p fn returned, #SES_ERR_INVALID, #SES_ERR_UNSUPPORTED,
 * #SES_ERR_UNAVAILABLE. Any thread. */
SES_API SES_MUST_USE int ses_list(ses_manager *manager, const char *user_or_null, ses_info_fn *fn,
                                  void *arg);

/** Ends the session of @p user that ses_list() shows under @p handle, and what remembers it.
 *  @return #SES_OK, #SES_ERR_NOT_FOUND (also for a handle of somebody else), #SES_ERR_INVALID,
 *  #SES_ERR_UNSUPPORTED, #SES_ERR_UNAVAILABLE. Any thread. */
SES_API SES_MUST_USE int ses_end(ses_manager *manager, const char *user, const char *handle);

/** Ends all sessions of a user, and what remembers them, but for @p except (may be NULL): after a
 *  change of password, or of a disabled account (ASVS 5.0 7.4.2, 7.4.3). Without a user:
 * everybody's.
 *  @return #SES_OK: each session that was there when the call began is dead everywhere;
 *  #SES_ERR_INVALID, #SES_ERR_UNSUPPORTED, #SES_ERR_UNAVAILABLE (some may live: call again).
 *  Any thread. */
SES_API SES_MUST_USE int ses_end_user(ses_manager *manager, const char *user_or_null,
                                      const ses_session *except);

SES_END_DECLS

#endif
