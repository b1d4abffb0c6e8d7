/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_MANAGER_H
#define SES_CORE_MANAGER_H

#include "core/collector.h"
#include "core/config.h"
#include "core/events.h"
#include "core/id.h"
#include "core/overlay.h"
#include "core/store.h"

#include "base/cleanup.h"
#include "base/tag.h"

struct ses_manager {
    atomic_uint refs;
    struct config config;
    struct id_format ids;
    struct id_format token_ids; /* of remembered log-ins */
    struct overlay_limits limits;
    ses_clock_fn *clock;
    void *clock_arg;
    struct store *store;
    struct tags *tags;     /* versions of records */
    struct scans *scans;   /* who sends made-up ids */
    struct sealer *sealer; /* NULL: sessions are in the store */
    bool has_ledger;       /* of sealed ones: the store has their headers */
    struct collector *collector;
    struct ses_error *opening; /* where a provider's first lines go; NULL once it is open */
    struct events events;
};

DEFINE_CLEANUP(ses_manager *, ses_manager_unref)

int64_t manager_now_ms(const ses_manager *manager);

/* One bounded step of gc. */
int manager_gc_step(ses_manager *manager, uint32_t budget, struct ses_gc_step *ret_step);

#endif
