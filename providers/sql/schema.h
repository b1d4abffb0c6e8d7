/* SPDX-License-Identifier: MIT */
#ifndef SES_SQL_SCHEMA_H
#define SES_SQL_SCHEMA_H

#include "sql/store.h"

/*
 * The tables: <prefix>sessions, and <prefix>schema with one row, their version. They are made and
 * brought forward only on request ("createTable"), under a lock, and in one transaction where
 * the database can; what is of a later version than this build knows is left alone.
 */

/* @return NULL, or what is wrong with it, for a log line. */
const char *sql_prefix_problem(const char *prefix);

/* A text with the prefix in the place of each "@"; to be freed. NULL: out of memory. */
char *sql_text(const struct sql *sql, const char *text);

/* Looks at the tables, or makes them. */
int sql_schema_prepare(struct sql *sql);

#endif
