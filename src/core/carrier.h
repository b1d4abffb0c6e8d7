/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_CARRIER_H
#define SES_CORE_CARRIER_H

/*
 * Where a session is kept: in the store or, sealed, with its visitor. A sealed session may have a
 * ledger: then the store has its header only, under the same version, so that an end is an end
 * everywhere, and of two requests that change it one is told SES_ERR_CONFLICT. Without a ledger the
 * store is the provider "cookie", which keeps nothing, and agrees to everything.
 *
 * A token's content: expires, version (8 bytes each, big-endian), length of the id, id, record.
 */

#include "core/session.h"

/* The provider of sealed sessions without a ledger. */
extern const struct ses_provider_ops ses_provider_cookie;

int carrier_create(ses_session *session, const struct id *id, const struct ses_owner *owner,
                   const struct snapshot *next);
int carrier_save(ses_session *session, uint64_t expected, const struct snapshot *next,
                 struct ses_record *ret_winner);
int carrier_touch(ses_session *session, int64_t now_ms, int64_t expires_ms);

/* What a token holds, into a session that is new, and not judged yet: what id_parse() is to an id.
 * SES_ERR_NOT_FOUND: it is none of ours. */
int carrier_read(ses_session *session, struct ses_slice token);

/* Judges it, as session_find() does what is stored: within its limits, and not ended as far as a
 * ledger knows. SES_ERR_NOT_FOUND with events that say why, or the ledger's failure. */
int carrier_find(ses_session *session);

/* Both. */
int carrier_open(ses_session *session, struct ses_slice token);

/* The whole token whose first part is @p first: its cookie, or "N." and with it N - 1 others, named
 * after it with "-1" and so on. SES_ERR_NOT_FOUND: a part is missing. */
int carrier_join(ses_session *session, const struct ses_request *request, struct ses_slice first,
                 struct ses_slice *ret_token);

/* The name of the cookie with that part of a token, from 0; in the arena. NULL: out of memory. */
const char *carrier_part_name(ses_session *session, unsigned part);

/* Seals the session as it stands, into session->token. */
int carrier_seal(ses_session *session);

/* How many bytes of a token one cookie takes. */
size_t carrier_part_max(const ses_session *session);

static inline bool is_sealed(const ses_session *session)
{
    return session->manager->sealer != NULL;
}

#endif
