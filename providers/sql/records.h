/* SPDX-License-Identifier: MIT */
#ifndef SES_SQL_RECORDS_H
#define SES_SQL_RECORDS_H

#include "sql/job.h"

/* The row of a key, by @p statement: SQL_LOAD or SQL_LOAD_LOCKED. SES_ERR_NOT_FOUND. */
int sql_find_row(struct sql_job *job, enum sql_statement statement, const struct ses_key *key,
                 struct ses_record *ret_record);

struct sql_creating {
    const struct ses_key *key;
    int64_t now_ms;
    const struct ses_owner *owner; /* NULL: nobody's */
    const struct ses_record *record;
};

/* SES_ERR_EXISTS. */
int sql_insert_row(struct sql_job *job, const struct sql_creating *creating);

struct sql_saving {
    const struct ses_key *key;
    int64_t now_ms;
    uint64_t expected;
    const struct ses_record *record;
};

/* Whether there was such a row is in job->changed. */
int sql_save_row(struct sql_job *job, const struct sql_saving *saving);

#endif
