/* SPDX-License-Identifier: MIT */
#ifndef SES_MYSQL_ATTEMPT_H
#define SES_MYSQL_ATTEMPT_H

#include "mysql/config.h"
#include "mysql/talk.h"

/*
 * Connecting with TLS. The client library looks up the name and shakes hands in calls that block,
 * and cannot be told how long. So a thread connects. When the deadline has passed, its
 * socket is shut down, and it is left alone: it ends by itself, at the latest when a name server
 * has answered.
 */

/* @return whether @p talk is connected; if not, NULL or what is wrong in @p ret_why, with NULL for
 * an error of @p talk. Its handle is the caller's to close either way. */
bool attempt(struct talk *talk, const struct mysql_config *config, const char **ret_why);

/* What every connection has. NULL: out of memory. */
MYSQL *attempt_handle(size_t stack_bytes);

#endif
