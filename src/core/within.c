/* SPDX-License-Identifier: MIT */
/* A commit within a transaction of the application: the record is locked first, so the one try is
 * made on what is stored now. A snapshot of the transaction would show the same old record to each
 * try. */
#include "core/carrier.h"

/* A log-in elsewhere may change the id again while the record of the one before is locked. */
enum { MOVES_MAX = 8 };

static int load_locked(ses_session *session, struct ses_record *ret_record)
{
    ses_manager *manager = session->manager;
    const int64_t now_ms = manager_now_ms(manager);
    CLEANUP(record_drop) struct ses_record record = { 0 };
    int r =
        store_load_within(manager->store, session->transaction, &session->id.key, now_ms, &record);
    if (r == SES_ERR_NOT_FOUND || (r == SES_OK && now_ms >= record.expires_ms))
        return SES_ERR_GONE;
    if (r < 0)
        return r;
    *ret_record = record;
    record.data = NULL;
    return SES_OK;
}

/* What a renewed id leads to was read, but not locked yet. */
static int find_locked(ses_session *session, struct snapshot *ret_snapshot)
{
    for (int moves = 0; moves < MOVES_MAX; moves++) {
        struct ses_record record;
        int r = load_locked(session, &record);
        if (r < 0)
            return r;
        const bool moved = record.kind == SES_KIND_MOVED;
        r = session_rebase(session, &record, ret_snapshot);
        if (r < 0 || !moved)
            return r;
    }
    return SES_ERR_CONFLICT;
}

static int go_on_from_stored(ses_session *session)
{
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    int r = session_prepare_adopt(session);
    if (r == SES_OK)
        r = find_locked(session, &snapshot);
    if (r == SES_OK)
        session_adopt(session, &snapshot);
    return r;
}

static bool has_to_be_locked(const ses_session *session)
{
    return session->state == SESSION_OPEN && session->failed == SES_OK && session->snapshot.blob;
}

static int commit_within(ses_session *session, void *connection,
                         const struct ses_headers **ret_headers)
{
    session->transaction = connection;
    int r = has_to_be_locked(session) ? go_on_from_stored(session) : SES_OK;
    if (r == SES_OK)
        r = session_commit(session, ret_headers);
    session->transaction = NULL;
    session->within |= session->state == SESSION_COMMITTED;
    if (r < 0 && session->state == SESSION_COMMITTED)
        session->failed = r; /* stored, and about to be rolled back: nothing is left to commit */
    return r;
}

/* An expiry or a new id's first use that is to be noted is no change of the application's, and goes
 * its own way. */
int ses_commit_within(ses_session *session, void *connection,
                      const struct ses_headers **ret_headers)
{
    if (!connection)
        return SES_ERR_INVALID;
    if (is_sealed(session))
        return SES_ERR_UNSUPPORTED;
    int r = session_has_wishes(session) ? commit_within(session, connection, ret_headers)
                                        : session_commit(session, ret_headers);
    session_tell_outcome(session);
    return r;
}
