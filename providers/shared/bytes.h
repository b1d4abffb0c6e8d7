/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_BYTES_H
#define SES_SHARED_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Numbers in what is stored: little-endian, at any address. */

static inline void put32(unsigned char *at, uint32_t x)
{
    x = htole32(x);
    memcpy(at, &x, sizeof x);
}

static inline void put64(unsigned char *at, uint64_t x)
{
    x = htole64(x);
    memcpy(at, &x, sizeof x);
}

static inline uint32_t get32(const unsigned char *at)
{
    uint32_t x;
    memcpy(&x, at, sizeof x);
    return le32toh(x);
}

static inline uint64_t get64(const unsigned char *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof x);
    return le64toh(x);
}

#endif
