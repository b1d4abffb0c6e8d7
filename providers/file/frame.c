/* SPDX-License-Identifier: MIT */
#include "file/frame.h"

#include "shared/bytes.h"

enum { FORMAT = 1, CAPACITY_AT = 8, SEQUENCE_AT = 16, CRC_AT = 72, CRC_END = 76 };

static const char magic[4] = { 'S', 'E', 'S', 'F' };

static bool is_zero(const unsigned char *bytes, size_t len)
{
    unsigned char any = 0;
    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

static uint32_t checksum(const struct crc *crc, const struct ses_key *key,
                         const unsigned char *head, struct ses_slice data)
{
    uint32_t sum = crc_of(crc, 0, key->bytes, sizeof key->bytes);
    sum = crc_of(crc, sum, head, CRC_AT);
    return crc_of(crc, sum, data.data, data.len);
}

void frame_write_head(const struct crc *crc, const struct ses_key *key, const struct frame *frame,
                      unsigned char head[FRAME_HEAD])
{
    memset(head, 0, FRAME_HEAD);
    memcpy(head, magic, sizeof magic);
    head[4] = FORMAT;
    head[5] = (unsigned char)frame->kind;
    put32(head + CAPACITY_AT, frame->capacity);
    put32(head + 12, (uint32_t)frame->data.len);
    put64(head + SEQUENCE_AT, frame->sequence);
    put64(head + 24, frame->version);
    put64(head + 32, (uint64_t)frame->expires_ms);
    memcpy(head + 40, frame->user.bytes, sizeof frame->user.bytes);
    put32(head + CRC_AT, checksum(crc, key, head, frame->data));
}

/* All but the checksum. */
static bool head_is_sound(const unsigned char *head)
{
    uint32_t found, expected;
    memcpy(&found, head, sizeof found);
    memcpy(&expected, magic, sizeof expected);
    const uint32_t capacity = get32(head + CAPACITY_AT), length = get32(head + 12);
    return found == expected && head[4] == FORMAT && head[5] >= SES_KIND_SESSION &&
           head[5] <= SES_KIND_TOKEN && is_zero(head + 6, 2) &&
           is_zero(head + CRC_END, FRAME_HEAD - CRC_END) && capacity >= SLOT_UNIT &&
           capacity % SLOT_UNIT == 0 && length <= capacity - FRAME_HEAD && get64(head + 24) != 0;
}

bool frame_read(const struct crc *crc, const struct ses_key *key, const unsigned char *slot,
                size_t len, struct frame *ret_frame)
{
    if (len < FRAME_HEAD || !head_is_sound(slot))
        return false;
    const struct ses_slice data = { slot + FRAME_HEAD, get32(slot + 12) };
    if (data.len > len - FRAME_HEAD || get32(slot + CRC_AT) != checksum(crc, key, slot, data))
        return false;

    ret_frame->kind = (enum ses_kind)slot[5];
    ret_frame->capacity = get32(slot + CAPACITY_AT);
    ret_frame->sequence = get64(slot + SEQUENCE_AT);
    ret_frame->version = get64(slot + 24);
    ret_frame->expires_ms = (int64_t)get64(slot + 32);
    memcpy(ret_frame->user.bytes, slot + 40, sizeof ret_frame->user.bytes);
    ret_frame->data = data;
    return true;
}

/* The one that says it is the newer, if it is what it says: then it is the newest that is valid,
 * whatever the other is, whose checksum need not be looked at. That is two of five checksums of a
 * load with a save, 0.6 of 17 microseconds. */
static bool newer_read(const struct crc *crc, const struct ses_key *key, const unsigned char *bytes,
                       size_t len, struct slots *ret_slots)
{
    if (len < 2 * (size_t)SLOT_UNIT || !head_is_sound(bytes))
        return false;
    const size_t middle = get32(bytes + CAPACITY_AT);
    if (middle != len / 2 || !head_is_sound(bytes + middle) ||
        get32(bytes + middle + CAPACITY_AT) != middle)
        return false;
    const bool second = get64(bytes + middle + SEQUENCE_AT) > get64(bytes + SEQUENCE_AT);
    const size_t at = second ? middle : 0;
    ret_slots->newest = second;
    return frame_read(crc, key, bytes + at, len - at, &ret_slots->frame);
}

/* Where the second slot begins is what the first says; if that one is torn, half of the file. */
static void both_read(const struct crc *crc, const struct ses_key *key, const unsigned char *bytes,
                      size_t len, struct slots *ret_slots)
{
    struct frame second;
    ret_slots->newest = frame_read(crc, key, bytes, len, &ret_slots->frame) ? 0 : -1;
    const size_t middle = ret_slots->newest == 0 ? ret_slots->frame.capacity : len / 2;

    if (middle <= len && frame_read(crc, key, bytes + middle, len - middle, &second) &&
        second.capacity == middle &&
        (ret_slots->newest < 0 || second.sequence > ret_slots->frame.sequence)) {
        ret_slots->newest = 1;
        ret_slots->frame = second;
    }
}

void slots_read(const struct crc *crc, const struct ses_key *key, const unsigned char *bytes,
                size_t len, struct slots *ret_slots)
{
    ret_slots->blank = false;
    if (newer_read(crc, key, bytes, len, ret_slots))
        return;
    both_read(crc, key, bytes, len, ret_slots);
    if (ret_slots->newest < 0)
        ret_slots->blank = is_zero(bytes, len);
}

uint32_t slot_capacity(size_t data_len)
{
    const size_t wanted = FRAME_HEAD + data_len + data_len / 2;
    return (uint32_t)((wanted + SLOT_UNIT - 1) / SLOT_UNIT * SLOT_UNIT);
}

bool frame_has_user(const struct frame *frame)
{
    return !is_zero(frame->user.bytes, sizeof frame->user.bytes);
}
