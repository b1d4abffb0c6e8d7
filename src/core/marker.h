/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_MARKER_H
#define SES_CORE_MARKER_H

/*
 * What lies under an id that is not a session's any more, so that a late request is told from a
 * made-up one.
 *
 *   dead    { 0: format, 1: reason, 2: since }             for a minute; for a theft longer, end.c
 *   moved   { 0: format, 3: key of the new id, 4: sealed } until the session's absolute end
 *
 * `sealed` is the new id, encrypted under a key that only the old id yields: whoever holds the old
 * id may be told the new one (its response may be lost), whoever holds the store may not.
 */

#include "core/id.h"

#include <sesame/manager.h>

struct tags;

struct marker {
    enum ses_reason reason; /* of a dead one */
    int64_t since_ms;
    struct ses_key next; /* of a moved one */
    struct ses_slice sealed;
};

/* The version is the caller's to set. SES_OK, SES_ERR_NO_MEMORY, SES_ERR_NO_RANDOMNESS. */
int marker_make_dead(enum ses_reason reason, int64_t now_ms, struct ses_record *ret_record);
int marker_make_moved(const struct id_format *format, const struct id *from, const struct id *to,
                      int64_t expires_ms, struct ses_record *ret_record);

/* Of a record that is no session. A dead one that does not read counts as cut: that grants the
 * least. A moved one is SES_ERR_CORRUPT then. What is filled in borrows from the record. */
int marker_read(const struct ses_record *record, struct marker *ret_marker);

/* The new id, by the old one. SES_OK, SES_ERR_CORRUPT, SES_ERR_NO_MEMORY. */
int marker_follow(const struct id_format *format, const struct marker *marker,
                  const struct id *from, struct id *ret_to);

#endif
