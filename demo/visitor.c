/* SPDX-License-Identifier: MIT */
#include "visitor.h"

#include "form.h"

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
    const char *name;
    return ses_get_text(session, VISITOR_KEY, &name) == SES_OK ? name : NULL;
}

int visitor_log_in(ses_session *session, const char *name)
{
    const char *before = visitor_name(session);
    int r = before && strcmp(before, name) != 0 ? ses_clear(session) : SES_OK;
    /* Changes first: ses_regenerate() stores them together with the new id. */
    if (r == SES_OK)
        r = ses_set_text(session, VISITOR_KEY, name);
    return r == SES_OK ? ses_regenerate(session) : r;
}

int visitor_log_out(struct exchange *x)
{
    x->session_ended = true;
    return ses_destroy(x->session);
}
