/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_USERS_H
#define SES_CORE_USERS_H

#include "core/manager.h"

/* A name as login.h permits it, or SES_ERR_INVALID. Borrowed. */
int user_check(const char *user, struct ses_slice *ret_user);

/* Ends one of the user's sessions (or tokens, by @p format) as `whenUserFull` says, but none of the
 * handle @p spared. SES_OK also when there was none: the caller tries again, a few times. */
int users_make_room(ses_manager *manager, const struct id_format *format, struct ses_slice user,
                    struct ses_slice spared);

#endif
