/* SPDX-License-Identifier: MIT */

/*
 * Any bytes as a value of a store with a server: what is accepted lies within them, and comes back
 * when it is written again.
 */

#include "shared/bytes.h"
#include "shared/envelope.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_envelope: %s\n", what);
    abort();
}

static const struct ses_key key = { { 1, 2, 3 } };

/* The checksums are made right, or hardly anything would be accepted. */
static void mend(const struct crc *crc, unsigned char *bytes, size_t size)
{
    const uint32_t of_key = crc_of(crc, 0, key.bytes, sizeof key.bytes);
    if (size < ENVELOPE_HEAD)
        return;
    put32(bytes + 16, (uint32_t)(size - ENVELOPE_HEAD));
    put32(bytes + 20,
          crc_of(crc, crc_of(crc, of_key, bytes, 20), bytes + ENVELOPE_HEAD, size - ENVELOPE_HEAD));
    put32(bytes + 32, crc_of(crc, of_key, bytes + ENVELOPE_EXPIRY, 8));
    put32(bytes + 76, crc_of(crc, of_key, bytes + ENVELOPE_OWNER, 40));
}

static void check(const struct crc *crc, struct ses_slice value)
{
    struct envelope envelope, by_head;
    const bool sound = envelope_read(crc, &key, value, &envelope);
    const bool head_is_sound = envelope_read_head(crc, &key, value, &by_head);
    require(!sound || head_is_sound, "the head alone does not check");
    if (!sound)
        return;
    const unsigned char *bytes = value.data;
    require(envelope.data.data == bytes + ENVELOPE_HEAD &&
                envelope.data.len == value.len - ENVELOPE_HEAD,
            "bounds");
    require(by_head.version == envelope.version && by_head.expires_ms == envelope.expires_ms &&
                by_head.owned == envelope.owned && by_head.birth == envelope.birth,
            "the head alone says something else");
    unsigned char head[ENVELOPE_HEAD];
    envelope_write_head(crc, &key, &envelope, head);
    const size_t same = envelope.owned ? ENVELOPE_HEAD : ENVELOPE_OWNER;
    for (size_t i = 0; i < same; i++)
        require(head[i] == bytes[i], "another head");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crc crc;
    if (crc.table[0][1] == 0)
        crc_init(&crc);
    check(&crc, (struct ses_slice){ data, size });
    unsigned char *bytes = malloc(size + 1);
    require(bytes != NULL, "memory");
    if (size > 0)
        memcpy(bytes, data, size);
    mend(&crc, bytes, size);
    check(&crc, (struct ses_slice){ bytes, size });
    free(bytes);
    return 0;
}
