/* SPDX-License-Identifier: MIT */
#include "redis/slots.h"

#include <stdint.h>
#include <string.h>

static uint16_t crc16(struct ses_slice bytes)
{
    static const uint16_t table[16] = { /* of polynomial 0x1021, four bits at a time */
                                        0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
                                        0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
                                        0xc18c, 0xd1ad, 0xe1ce, 0xf1ef
    };
    const unsigned char *at = bytes.data;
    unsigned x = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        x = (x << 4 & 0xffffu) ^ table[(x >> 12 ^ at[i] >> 4) & 15u];
        x = (x << 4 & 0xffffu) ^ table[(x >> 12 ^ at[i]) & 15u];
    }
    return (uint16_t)x;
}

static struct ses_slice hashed_part(struct ses_slice key)
{
    const char *open = key.len > 0 ? memchr(key.data, '{', key.len) : NULL;
    if (!open)
        return key;
    const char *first = open + 1, *end = (const char *)key.data + key.len;
    const char *close = memchr(first, '}', (size_t)(end - first));
    if (!close || close == first)
        return key;
    return (struct ses_slice){ first, (size_t)(close - first) };
}

unsigned slot_of(struct ses_slice key)
{
    return crc16(hashed_part(key)) % SLOTS;
}

static bool is_first_slot(const struct slots *slots, unsigned slot, const struct node *owner)
{
    for (unsigned before = slot; before-- > 0;) { /* mostly it is the one before */
        if (slots_owner(slots, before) == owner)
            return false;
    }
    return true;
}

struct node *slots_each(const struct slots *slots, size_t i)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        struct node *owner = slots_owner(slots, slot);
        if (owner && is_first_slot(slots, slot, owner) && i-- == 0)
            return owner;
    }
    return NULL;
}
