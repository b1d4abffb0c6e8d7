/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_INFO_H
#define SES_CORE_INFO_H

/* What a caller may know of a session: struct ses_info, and the handle by which he may name it. */

#include "core/session.h"

/* Texts live in the arena. SES_OK, SES_ERR_NO_MEMORY. */
int info_fill(const ses_manager *manager, const struct snapshot *snapshot, struct arena *arena,
              struct ses_info *ret_info);

/* When a session was used last, to the touch threshold. */
int64_t info_seen_ms(const ses_manager *manager, const struct record_header *header,
                     int64_t expires_ms);

/* From hexadecimal; false when it is no handle. */
bool handle_parse(const char *text, unsigned char handle[HANDLE_BYTES]);

#endif
