/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_CRC_H
#define SES_SHARED_CRC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), eight bytes at a time, by the processor where it can. The tables are made
 * at open and lie in the store's state, so that nothing here is global. */
struct crc {
    bool by_processor;
    uint32_t table[8][256];
};

void crc_init(struct crc *crc);

/* Begins with 0; what it returned goes in with the next piece. */
uint32_t crc_of(const struct crc *crc, uint32_t before, const void *bytes, size_t len);

#endif
