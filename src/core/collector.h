/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_COLLECTOR_H
#define SES_CORE_COLLECTOR_H

#include <sesame/manager.h>

/* A thread that runs ses_gc() every interval, until it is stopped. */
struct collector;

int collector_new(ses_manager *manager, int64_t interval_s, struct collector **ret_collector);
int collector_start(struct collector *collector);
void collector_stop(struct collector *collector);
void collector_free(struct collector *collector); /* stops it; accepts NULL */

#endif
