/* SPDX-License-Identifier: MIT */
#include "shared/crc.h"

#include <endian.h>
#include <string.h>

enum { LANES = 8 };

/* ---- by the processor ---- */

#if defined(__x86_64__)
static bool processor_can(void)
{
    return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t by_processor(uint32_t x, const unsigned char *at,
                                                               size_t len)
{
    uint64_t wide = x;
    for (; len >= LANES; len -= LANES, at += LANES) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    x = (uint32_t)wide;
    for (; len > 0; len--)
        x = __builtin_ia32_crc32qi(x, *at++);
    return x;
}
#else
static bool processor_can(void)
{
    return false;
}

static uint32_t by_processor(uint32_t x, const unsigned char *at, size_t len)
{
    (void)at, (void)len;
    return x;
}
#endif

/* ---- by tables ---- */

void crc_init(struct crc *crc)
{
    static const uint32_t polynomial = 0x82f63b78u; /* 0x1edc6f41, reflected */
    crc->by_processor = processor_can();
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t x = i;
        for (int bit = 0; bit < 8; bit++)
            x = x >> 1 ^ (x & 1 ? polynomial : 0);
        crc->table[0][i] = x;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int lane = 1; lane < LANES; lane++) {
            const uint32_t x = crc->table[lane - 1][i];
            crc->table[lane][i] = x >> 8 ^ crc->table[0][x & 0xff];
        }
    }
}

static uint32_t eight_bytes(const struct crc *crc, uint64_t word)
{
    uint32_t x = 0;
    for (int lane = LANES - 1; lane >= 0; lane--) {
        x ^= crc->table[lane][word & 0xff];
        word >>= 8;
    }
    return x;
}

uint32_t crc_of(const struct crc *crc, uint32_t before, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint32_t x = ~before;
    if (crc->by_processor)
        return ~by_processor(x, at, len);
    for (; len >= LANES; len -= LANES, at += LANES) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        x = eight_bytes(crc, le64toh(word) ^ x);
    }
    for (; len > 0; len--)
        x = x >> 8 ^ crc->table[0][(x ^ *at++) & 0xff];
    return ~x;
}
