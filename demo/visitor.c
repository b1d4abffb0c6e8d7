/* SPDX-License-Identifier: MIT */
#include "visitor.h"

#include "answers.h"
#include "flash.h"
#include "form.h"

#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool visitor_name_fits(const char *name)
{
    const size_t len = strlen(name);
    return len > 0 && !is_blank(name[0]) && !is_blank(name[len - 1]) &&
           !text_is_longer(name, NAME_MAX_LETTERS);
}

const char *visitor_name(ses_session *session)
{
    struct ses_info info = { .size = sizeof info };
    return ses_info(session, &info) == SES_OK ? info.user : NULL;
}

bool visitor_is_in(const ses_session *session)
{
    return ses_require(session, SES_LEVEL_FULL, 0) == SES_OK;
}

bool visitor_has_session(ses_session *session)
{
    struct ses_info info = { .size = sizeof info };
    /* In doubt there is one: then a token is asked for. */
    return ses_info(session, &info) != SES_OK || !info.is_new || info.user;
}

int visitor_log_in(struct exchange *x, const char *name, bool remember)
{
    const unsigned flags = SES_LOGIN_KEEP_DATA | (remember ? SES_LOGIN_REMEMBER : 0);
    int r = ses_login(x->session, name, SES_LEVEL_FULL, flags);
    if (r == SES_ERR_UNSUPPORTED && remember) {
        r = ses_login(x->session, name, SES_LEVEL_FULL, SES_LOGIN_KEEP_DATA);
        if (r == SES_OK)
            r = flash_set(x->session, "This site is set up not to remember browsers.");
    }
    if (r == SES_ERR_DENIED)
        x->known = (struct failure){ r, MHD_HTTP_FORBIDDEN,
                                     "You are logged in on as many devices as this site permits. "
                                     "Log out on one of them first." };
    return r;
}

int visitor_log_out(struct exchange *x)
{
    x->session_ended = true;
    return ses_logout(x->session, SES_LOGOUT_CLEAR_SITE_DATA);
}

int visitor_guard(struct exchange *x, uint32_t max_age_s, const char *back, handler_fn *then)
{
    char path[128];
    switch (ses_require(x->session, SES_LEVEL_FULL, max_age_s)) {
    case SES_OK:
        return then(x);
    case SES_ERR_DENIED:
        (void)snprintf(path, sizeof path, "/account/confirm?to=%s", back);
        return answer_redirect(x, path);
    default:
        return answer_redirect(x, "/");
    }
}
