/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_SWEEP_H
#define SES_TEST_SWEEP_H

/* A public call that is made again and again, each time with another of its allocations failing. */

#include "core/session.h"

#include "support/failmalloc.h"
#include "support/logins.h"

extern char sweep_text[3000];

/* Before the first sweep: all of this program run with that configuration. */
void sweep_init(const char *json);

/* What a call finds: a stored session of the visitor, and a request that has read it. */
struct stage {
    struct scene *scene;
    struct visitor visitor;
    ses_session *session;
    ses_session *rival; /* of the same session */
    size_t left;        /* bytes of the arena that the two have */
};

ses_session *stage_visit(const struct stage *stage);

/* The same request once more, with the cookie that the visitor has by now. */
void stage_visit_again(struct stage *stage);

/* Leaves @p left bytes of the storage that a session brings along, so that the next allocations
 * from its arena reach malloc sooner or later. */
void fill_arena(ses_session *session, size_t left);

struct sweep {
    const char *name;
    void (*prepare)(struct stage *stage);
    int (*call)(struct stage *stage);
    /* After a call that succeeded, at once or when it was repeated with memory. */
    void (*check)(struct stage *stage);
};

void run_sweep(const struct sweep *sweep);

#define SWEEP(...)                                                                                 \
 do {                                                                                              \
  const struct sweep sweep = { __func__, __VA_ARGS__ };                                            \
  (void)state;                                                                                     \
  run_sweep(&sweep);                                                                               \
 } while (0)

#endif
