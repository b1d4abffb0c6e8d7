/* SPDX-License-Identifier: MIT */
#ifndef DEMO_ACCOUNT_VIEWS_H
#define DEMO_ACCOUNT_VIEWS_H

/* What the pages of account.c look like. */

#include "devices.h"
#include "http.h"

/* The value that holds the address. */
#define EMAIL_KEY "email"

enum { EMAIL_MAX_LETTERS = 254 };

int view_devices(struct exchange *x, const struct devices *devices);

/* @p complaint may be NULL. */
int view_email(struct exchange *x, unsigned status, const char *complaint);

/* The form that leads to the page @p back. */
int view_confirm(struct exchange *x, const char *name, const char *back);

#endif
