/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_LEAVE_H
#define SES_TEST_LEAVE_H

/* An event hook that never returns: scene->hook = jump_out; jump_at = ...; if (setjmp(way_out) ==
 * 0).
 */

#include <sesame/manager.h>

#include <setjmp.h>

static jmp_buf way_out;
static enum ses_event_type jump_at;

static inline void jump_out(void *arg, const struct ses_event *event)
{
    (void)arg;
    if (event->type == jump_at) {
        jump_at = 0;
        longjmp(way_out, 1);
    }
}

#endif
