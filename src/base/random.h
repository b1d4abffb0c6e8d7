/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_RANDOM_H
#define SES_BASE_RANDOM_H

#include <stddef.h>

/*
 * Bytes from the kernel's generator, straight: nothing is kept between calls, so a fork repeats
 * nothing. SES_OK, or SES_ERR_NO_RANDOMNESS; there is no second source (ASVS 5.0 11.5.1, T-20).
 */
int random_bytes(void *out, size_t len);

#endif
