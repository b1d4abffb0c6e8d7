/* SPDX-License-Identifier: MIT */
#ifndef DEMO_ACCOUNT_H
#define DEMO_ACCOUNT_H

/* Pages of whoever is logged in: the devices, the e-mail address, and the confirmation that the
 * latter asks for. All are handlers of routes. */

#include "http.h"

int account_show_devices(struct exchange *x);
int account_end_device(struct exchange *x);
int account_end_others(struct exchange *x);

int account_show_email(struct exchange *x);
int account_save_email(struct exchange *x);

int account_ask(struct exchange *x);
int account_confirm(struct exchange *x);

#endif
