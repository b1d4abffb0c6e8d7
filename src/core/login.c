/* SPDX-License-Identifier: MIT */
#include "core/login.h"

#include "core/users.h"

#include "base/random.h"
#include "base/slice.h"

/* Each ends one session of the user; parallel log-ins may take the place that it leaves. */
enum { ROOM_TRIES = 16 };

/* ---- the header ---- */

struct dressing {
    const ses_session *session;
    const struct login *login;
    struct header_secrets secrets;
    int64_t now_ms;
};

/* Everything that tells one log-in from another; what the anonymous session was is over. */
static void dress_login(const struct dressing *dressing, struct record_header *header)
{
    const struct login *login = dressing->login;
    const struct header_patch *patch = &dressing->session->patch;
    header->created_ms = dressing->now_ms;
    header->user = login->user;
    header->handle = login->handle.len > 0
                         ? login->handle
                         : (struct ses_slice){ dressing->secrets.handle, HANDLE_BYTES };
    header->idle_s = patch->limits ? patch->idle_s : 0;
    header->absolute_s = patch->limits ? patch->absolute_s : 0;
}

static void dress(void *arg, struct record_header *header)
{
    const struct dressing *dressing = arg;
    const ses_session *session = dressing->session;
    header->level = dressing->login->level;
    header->auth_ms = dressing->login->auth_ms;
    header->absolute_base_ms = dressing->now_ms;
    header->suspected_ms = 0;
    header->csrf = (struct ses_slice){ dressing->secrets.csrf, CSRF_BYTES };
    if (session->face) {
        header->peer = slice_of_text(session->origin.peer);
        header->user_agent = session->user_agent;
    }
    if (!dressing->login->step_up)
        dress_login(dressing, header);
}

/* ---- the act ---- */

/* One that is replaced does not count twice. */
static uint32_t limit_for(const ses_session *session, const struct login *login)
{
    const int64_t limit = session->manager->config.max_user_sessions;
    const bool replaces = slice_equal(session_header(session)->user, login->user);
    return limit > 0 && !login->step_up ? (uint32_t)limit + replaces : 0;
}

static int renew_with_room(ses_session *session, const struct login *login,
                           const struct renewal_plan *plan)
{
    ses_manager *manager = session->manager;
    int r = session_renew(session, plan);
    for (int tries = 0; tries < ROOM_TRIES && r == SES_ERR_DENIED &&
                        manager->config.when_user_full != USER_FULL_REFUSE;
         tries++) {
        r = users_make_room(manager, &manager->ids, login->user, session_header(session)->handle);
        if (r == SES_OK)
            r = session_renew(session, plan);
    }
    return r;
}

static int try_log_in(ses_session *session, const struct login *login)
{
    struct dressing dressing = {
        .session = session,
        .login = login,
        .now_ms = manager_now_ms(session->manager),
    };
    const struct ses_slice before = session_header(session)->user;
    const bool other = before.len > 0 && !slice_equal(before, login->user);
    const struct renewal_plan plan = {
        .leaves = SES_KIND_DEAD,
        .limit = limit_for(session, login),
        .drop_values = !login->keep_values || other,
        .dress = dress,
        .arg = &dressing,
    };
    int r = random_bytes(&dressing.secrets, sizeof dressing.secrets);
    return r < 0 ? r : renew_with_room(session, login, &plan);
}

/* Nothing is left of what it was. Until the log-in succeeds it counts as cut: the browser may have
 * got the cookie of another. */
static void start_anew(ses_session *session)
{
    struct snapshot nothing = { 0 };
    session_adopt(session, &nothing);
    session_reset_changes(session);
    session->cookie = COOKIE_LEAVE;
    session->cut = true;
}

/* When another log-in was faster, as after a double click, or the response of this one's first try
 * was lost: it is as good in a session of its own. */
int session_log_in(ses_session *session, const struct login *login)
{
    int r = try_log_in(session, login);
    if (r != SES_ERR_GONE || login->step_up)
        return r;
    r = session_prepare_adopt(session);
    if (r < 0)
        return r;
    start_anew(session);
    return try_log_in(session, login);
}

/* ---- the calls ---- */

static int check_login(const ses_session *session, const char *user, enum ses_level level,
                       unsigned flags, struct ses_slice *ret_user)
{
    const unsigned known = SES_LOGIN_KEEP_DATA | SES_LOGIN_REMEMBER;
    int r = session_changeable(session);
    if (r == SES_OK)
        r = user_check(user, ret_user);
    if (r < 0)
        return r;
    if (level < SES_LEVEL_PARTIAL || level > SES_LEVEL_STRONG || (flags & ~known))
        return SES_ERR_INVALID;
    const bool remembers = session->manager->config.remember_s > 0 && session->face;
    return (flags & SES_LOGIN_REMEMBER) && !remembers ? SES_ERR_UNSUPPORTED : SES_OK;
}

/* The old log-in is forgotten once the new one stands, so that nothing is lost with a log-in that
 * is refused. */
static int log_in(ses_session *session, const struct login *plain, bool remember)
{
    unsigned char handle[HANDLE_BYTES];
    struct login login = *plain;
    const struct former former = remember_former(session);
    int r = remember ? random_bytes(handle, sizeof handle) : SES_OK;
    if (r == SES_OK && remember) {
        login.handle = (struct ses_slice){ handle, sizeof handle };
        r = remember_issue(session, &login);
    }
    if (r == SES_OK)
        r = session_log_in(session, &login);
    if (r == SES_OK)
        remember_forget(session, &former);
    else
        remember_withdraw(session, &former);
    return r;
}

int ses_login(ses_session *session, const char *user, enum ses_level level, unsigned flags)
{
    struct login login = {
        .level = level,
        .auth_ms = manager_now_ms(session->manager),
        .keep_values = (flags & SES_LOGIN_KEEP_DATA) != 0,
    };
    int r = check_login(session, user, level, flags, &login.user);
    if (r == SES_OK)
        r = log_in(session, &login, (flags & SES_LOGIN_REMEMBER) != 0);
    session_tell_outcome(session);
    if (r == SES_OK)
        session_tell(session, SES_EVENT_LOGIN);
    return r;
}

int ses_elevate(ses_session *session, enum ses_level level)
{
    const struct record_header *header = session_header(session);
    const struct login login = {
        .user = header->user,
        .level = level,
        .auth_ms = manager_now_ms(session->manager),
        .step_up = true,
        .keep_values = true,
    };
    int r = session_changeable(session);
    if (r < 0)
        return r;
    if (header->user.len == 0)
        return SES_ERR_NOT_FOUND;
    if (level < SES_LEVEL_PARTIAL || level > SES_LEVEL_STRONG || level < header->level)
        return SES_ERR_INVALID;
    r = session_log_in(session, &login);
    session_tell_outcome(session);
    if (r == SES_OK)
        session_tell(session, SES_EVENT_LOGIN);
    return r;
}

int ses_logout(ses_session *session, unsigned flags)
{
    if (flags & ~(unsigned)SES_LOGOUT_CLEAR_SITE_DATA)
        return SES_ERR_INVALID;
    if (session->state == SESSION_COMMITTED)
        return SES_ERR_INVALID;
    session->clear_site |= (flags & SES_LOGOUT_CLEAR_SITE_DATA) != 0;
    int forgotten = remember_end(session);
    int r = session_end(session);
    return r < 0 ? r : forgotten;
}

int ses_require(const ses_session *session, enum ses_level level, uint32_t max_age_s)
{
    const struct record_header *header = session_header(session);
    if (level <= SES_LEVEL_NONE || level > SES_LEVEL_STRONG)
        return SES_ERR_INVALID;
    if (header->user.len == 0)
        return SES_ERR_NOT_FOUND;
    const int64_t age_ms = manager_now_ms(session->manager) - header->auth_ms;
    const bool old = max_age_s > 0 && age_ms > (int64_t)max_age_s * 1000;
    return header->level < (int)level || old ? SES_ERR_DENIED : SES_OK;
}
