/* SPDX-License-Identifier: MIT */

/*
 * Any bytes as a file of two slots: what is accepted lies within them, and comes back when it is
 * written again.
 */

#include "file/frame.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_frame: %s\n", what);
    abort();
}

/* The checksum is made right, or hardly anything would be accepted. */
static unsigned char *with_checksums(const struct crc *crc, const struct ses_key *key,
                                     const uint8_t *data, size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    require(bytes != NULL, "memory");
    memcpy(bytes, data, size);
    for (size_t at = 0; at + FRAME_HEAD <= size; at += size / 2 > 0 ? size / 2 : size) {
        uint32_t len;
        memcpy(&len, bytes + at + 12, sizeof len);
        if (len > size - at - FRAME_HEAD)
            continue;
        uint32_t sum = crc_of(crc, 0, key->bytes, sizeof key->bytes);
        sum = crc_of(crc, sum, bytes + at, 72);
        sum = crc_of(crc, sum, bytes + at + FRAME_HEAD, len);
        memcpy(bytes + at + 72, &sum, sizeof sum);
    }
    return bytes;
}

static void check(const struct crc *crc, const struct ses_key *key, const unsigned char *bytes,
                  size_t size)
{
    struct slots slots;
    slots_read(crc, key, bytes, size, &slots);
    if (slots.newest < 0)
        return;
    const struct frame *frame = &slots.frame;
    const size_t at = slots.newest ? frame->capacity : 0;
    const unsigned char *found = frame->data.data;
    require(found == bytes + at + FRAME_HEAD && frame->data.len <= size - at - FRAME_HEAD,
            "bounds");
    unsigned char head[FRAME_HEAD];
    frame_write_head(crc, key, frame, head);
    for (size_t i = 0; i < FRAME_HEAD; i++)
        require(head[i] == bytes[at + i], "another head");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crc crc;
    static const struct ses_key key = { { 1, 2, 3 } };
    if (crc.table[0][1] == 0)
        crc_init(&crc);
    require(crc_of(&crc, 0, "123456789", 9) == 0xe3069283u, "CRC-32C");
    check(&crc, &key, data, size);
    unsigned char *bytes = with_checksums(&crc, &key, data, size);
    check(&crc, &key, bytes, size);
    free(bytes);
    return 0;
}
