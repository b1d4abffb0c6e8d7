/* SPDX-License-Identifier: MIT */
#ifndef SES_SQL_JOB_H
#define SES_SQL_JOB_H

#include "sql/store.h"

/* One call of the store, while it has a connection. */
struct sql_job {
    struct sql *sql;
    struct pool *pool;
    struct sql_connection *connection;
    struct deadline deadline;
    uint64_t changed; /* rows, by the last statement */
};

/* @return SES_OK, or a code that has been told: then there is nothing to end. */
int sql_job_begin(struct sql *sql, struct pool *pool, struct sql_job *job);

/* Gives the connection back, and tells what a failure was about. @return @p r. */
int sql_job_end(struct sql_job *job, int r);

/* Answers SES_OK for one that the dialect does without. */
int sql_job_run(struct sql_job *job, struct sql_call *call);

/* SQL_RUN(&job, SQL_DESTROY, fn, arg, sql_key(key)...) */
#define SQL_RUN(job, statement_, fn_, arg_, ...)                                                   \
 sql_job_run((job),                                                                                \
             &(struct sql_call){ .statement = (statement_),                                        \
                                 .values = (const struct sql_value[]){ __VA_ARGS__ },              \
                                 .count = sizeof((const struct sql_value[]){ __VA_ARGS__ }) /      \
                                          sizeof(struct sql_value),                                \
                                 .fn = (fn_),                                                      \
                                 .arg = (arg_) })
#define SQL_RUN_PLAIN(job, statement_)                                                             \
 sql_job_run((job), &(struct sql_call){ .statement = (statement_) })

/* For a statement without parameters whose row is one number. */
#define SQL_ASK(job, statement_, ret_number_)                                                      \
 sql_job_run((job), &(struct sql_call){                                                            \
                        .statement = (statement_), .fn = sql_take_number, .arg = (ret_number_) })

typedef int sql_write_fn(struct sql_job *job, const void *arg);

/* Both do @p fn anew, up to the deadline, when it answers SQL_AGAIN. */

/* Does @p fn, of which each statement is a transaction by itself. */
int sql_job_write(struct sql *sql, sql_write_fn *fn, const void *arg);

/* Does @p fn within a transaction, which ends with a commit if it answers SES_OK. */
int sql_job_transact(struct sql *sql, sql_write_fn *fn, const void *arg);

/* The same on a connection that is at hand, once. */
int sql_within_transaction(struct sql_job *job, sql_write_fn *fn, const void *arg);

/* ---- rows ---- */

uint32_t sql_checksum(const struct sql *sql, const struct ses_key *key, uint64_t version,
                      enum ses_kind kind, struct ses_slice bytes);

/* The record of a ROW; SES_ERR_CORRUPT when it does not check. */
int sql_decode(struct sql_job *job, const struct ses_key *key, const struct sql_value *row,
               struct ses_record *ret_record);

/* For a query of one number; @p arg is an int64_t. */
int sql_take_number(void *arg, const struct sql_value *columns);

#endif
