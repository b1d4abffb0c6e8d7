/* SPDX-License-Identifier: MIT */
#include "shared/envelope.h"

#include "shared/bytes.h"

enum { FORMAT = 1, LENGTH_AT = 16, FRAME_CRC_AT = 20, EXPIRY_CRC_AT = 32 };
enum { BIRTH_AT = 32, OWNER_CRC_AT = 40 }; /* in the third part */

enum { MAGIC = 'S' | 'E' << 8 | 'S' << 16 | 'V' << 24 };

static uint32_t checksum(const struct crc *crc, const struct ses_key *key, struct ses_slice head,
                         struct ses_slice tail)
{
    uint32_t sum = crc_of(crc, 0, key->bytes, sizeof key->bytes);
    sum = crc_of(crc, sum, head.data, head.len);
    return crc_of(crc, sum, tail.data, tail.len);
}

static uint32_t frame_sum(const struct crc *crc, const struct ses_key *key,
                          const unsigned char *head, struct ses_slice data)
{
    return checksum(crc, key, (struct ses_slice){ head, FRAME_CRC_AT }, data);
}

static uint32_t part_sum(const struct crc *crc, const struct ses_key *key,
                         const unsigned char *part, size_t len)
{
    return checksum(crc, key, (struct ses_slice){ part, len }, (struct ses_slice){ 0 });
}

void envelope_write_expiry(const struct crc *crc, const struct ses_key *key, int64_t expires_ms,
                           unsigned char part[ENVELOPE_EXPIRY_LEN])
{
    put64(part, (uint64_t)expires_ms);
    put32(part + 8, part_sum(crc, key, part, 8));
}

void envelope_write_head(const struct crc *crc, const struct ses_key *key,
                         const struct envelope *envelope, unsigned char head[ENVELOPE_HEAD])
{
    memset(head, 0, ENVELOPE_HEAD);
    put32(head, MAGIC);
    head[4] = FORMAT;
    head[5] = (unsigned char)envelope->kind;
    put64(head + ENVELOPE_VERSION, envelope->version);
    put32(head + LENGTH_AT, (uint32_t)envelope->data.len);
    put32(head + FRAME_CRC_AT, frame_sum(crc, key, head, envelope->data));
    envelope_write_expiry(crc, key, envelope->expires_ms, head + ENVELOPE_EXPIRY);
    unsigned char *owner = head + ENVELOPE_OWNER;
    if (envelope->owned) {
        memcpy(owner, envelope->user.bytes, sizeof envelope->user.bytes);
        put64(owner + BIRTH_AT, envelope->birth);
    }
    put32(owner + OWNER_CRC_AT, part_sum(crc, key, owner, OWNER_CRC_AT));
}

int envelope_read_owner(const struct crc *crc, const struct ses_key *key,
                        const unsigned char part[ENVELOPE_OWNER_LEN], struct ses_key *ret_user,
                        uint64_t *ret_birth)
{
    if (get32(part + OWNER_CRC_AT) != part_sum(crc, key, part, OWNER_CRC_AT))
        return SES_ERR_CORRUPT;
    const uint64_t birth = get64(part + BIRTH_AT);
    if (birth == 0)
        return SES_ERR_NOT_FOUND;
    memcpy(ret_user->bytes, part, sizeof ret_user->bytes);
    *ret_birth = birth;
    return SES_OK;
}

bool envelope_read_head(const struct crc *crc, const struct ses_key *key, struct ses_slice value,
                        struct envelope *ret_envelope)
{
    const unsigned char *head = value.data;
    struct envelope envelope = { 0 };
    if (value.len < ENVELOPE_HEAD || get32(head) != MAGIC || head[4] != FORMAT ||
        head[5] < SES_KIND_SESSION || head[5] > SES_KIND_TOKEN || head[6] != 0 || head[7] != 0)
        return false;
    envelope.kind = (enum ses_kind)head[5];
    envelope.version = get64(head + ENVELOPE_VERSION);
    envelope.expires_ms = (int64_t)get64(head + ENVELOPE_EXPIRY);
    if (envelope.version == 0 ||
        get32(head + EXPIRY_CRC_AT) != part_sum(crc, key, head + ENVELOPE_EXPIRY, 8))
        return false;
    const int r =
        envelope_read_owner(crc, key, head + ENVELOPE_OWNER, &envelope.user, &envelope.birth);
    if (r == SES_ERR_CORRUPT)
        return false;
    envelope.owned = r == SES_OK;
    *ret_envelope = envelope;
    return true;
}

bool envelope_read(const struct crc *crc, const struct ses_key *key, struct ses_slice value,
                   struct envelope *ret_envelope)
{
    const unsigned char *head = value.data;
    struct envelope envelope;
    if (!envelope_read_head(crc, key, value, &envelope))
        return false;
    envelope.data = (struct ses_slice){ head + ENVELOPE_HEAD, value.len - ENVELOPE_HEAD };
    if (get32(head + LENGTH_AT) != envelope.data.len ||
        get32(head + FRAME_CRC_AT) != frame_sum(crc, key, head, envelope.data))
        return false;
    *ret_envelope = envelope;
    return true;
}
