/* SPDX-License-Identifier: MIT */
#include "base/cbor.h"

#include <string.h>

/* The highest bit of each of eight bytes: none is set in ASCII. */
static const uint64_t high_bits = UINT64_C(0x8080808080808080);

static inline uint64_t load_eight(const unsigned char *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    return eight;
}

static inline uint32_t load_four(const unsigned char *at)
{
    uint32_t four;
    memcpy(&four, at, sizeof four);
    return four;
}

/* Most texts are, and this costs a fraction of a cycle per byte: the last bytes are looked at
 * together with some before them, not one by one. */
static bool is_ascii(const unsigned char *at, const unsigned char *end)
{
    const size_t len = (size_t)(end - at);
    uint64_t seen = 0;
    if (len >= 8) {
        for (; end - at > 16; at += 16)
            seen |= load_eight(at) | load_eight(at + 8);
        if (end - at > 8)
            seen |= load_eight(at);
        seen |= load_eight(end - 8);
    } else if (len >= 4) {
        seen = load_four(at) | load_four(end - 4);
    } else {
        for (; at < end; at++)
            seen |= *at;
    }
    return (seen & high_bits) == 0;
}

/* Bytes of the character that starts at @p at with a byte above 0x7f, by the syntax of RFC 3629
 * section 4; 0 if there is none. The second byte's range is what shuts out overlong forms (E0, F0),
 * surrogates (ED) and everything above U+10FFFF (F4). */
static size_t character_bytes(const unsigned char *at, const unsigned char *end)
{
    const unsigned char first = *at;
    unsigned char low = 0x80, high = 0xbf;
    size_t len = 0;
    if (first >= 0xc2 && first <= 0xdf) {
        len = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        len = 3;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;
    } else if (first >= 0xf0 && first <= 0xf4) {
        len = 4;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;
    }
    if (len == 0 || (size_t)(end - at) < len || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

bool utf8_valid(struct ses_slice text)
{
    if (text.len == 0)
        return true;

    const unsigned char *at = text.data, *end = at + text.len;
    if (is_ascii(at, end))
        return true;
    while (at < end) {
        size_t len = 1;
        if (end - at >= 8 && (load_eight(at) & high_bits) == 0)
            len = 8;
        else if (*at >= 0x80)
            len = character_bytes(at, end);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}
