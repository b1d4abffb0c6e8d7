/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_CLOCK_H
#define SES_BASE_CLOCK_H

#include <stdint.h>

/* Unix milliseconds; a few milliseconds behind at most (the coarse clock: 3 ns instead of 21). */
int64_t clock_now_ms(void);

#endif
