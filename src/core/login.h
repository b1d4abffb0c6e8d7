/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_LOGIN_H
#define SES_CORE_LOGIN_H

#include "core/session.h"

/* An authentication event, as it goes into a session's header. */
struct login {
    struct ses_slice user;
    int64_t level;
    int64_t auth_ms;
    struct ses_slice handle; /* empty: a new one */
    bool step_up;            /* of whoever is logged in: values and handle stay */
    bool keep_values;
};

/* Gives the session a new id, with this. Makes room for it, if there are too many of the user's and
 * the policy is to. */
int session_log_in(ses_session *session, const struct login *login);

#endif
