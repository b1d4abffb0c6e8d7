/* SPDX-License-Identifier: MIT */
#ifndef SES_SQLITE_CONNECTION_H
#define SES_SQLITE_CONNECTION_H

#include "sqlite/state.h"

/* One connection to the file, as struct sql_dialect asks for it. */
struct sql_connection *sqlite_provider_connect(struct sql *sql, struct deadline deadline, char *why,
                                               size_t why_size);
void sqlite_provider_close(struct sql_connection *connection);
void sqlite_provider_close_before_fork(struct sql_connection *connection);
int sqlite_provider_run(struct sql_connection *connection, struct sql_call *call);
int sqlite_provider_prepare(struct sql_connection *connection, enum sql_statement statement);
int sqlite_provider_ask(struct sql_connection *connection, const char *text,
                        struct deadline deadline, int64_t *ret_number);

#endif
