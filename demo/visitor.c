/* SPDX-License-Identifier: MIT */
#include "visitor.h"

#include <string.h>

const char *visitor_name(ses_session *session)
{
    const char *name;
    return ses_get_text(session, "user", &name) == SES_OK ? name : NULL;
}

int visitor_log_in(ses_session *session, const char *name)
{
    const char *before = visitor_name(session);
    int r = before && strcmp(before, name) != 0 ? ses_clear(session) : SES_OK;
    /* Changes first: ses_regenerate() stores them together with the new id. */
    if (r == SES_OK)
        r = ses_set_text(session, "user", name);
    return r == SES_OK ? ses_regenerate(session) : r;
}

int visitor_log_out(struct exchange *x)
{
    x->session_ended = true;
    return ses_destroy(x->session);
}
