/* SPDX-License-Identifier: MIT */

/*
 * Sealed sessions. The input as a visitor's cookie: it is refused. The input as the content of a
 * token that we sealed, as a later release might: it opens as a session that can be changed and
 * sealed again, or it is refused.
 */

#include "core/session.h"

#include "core/seal.h"

#include "base/slice.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static int64_t early(void *arg)
{
    (void)arg;
    return 1000;
}

static ses_manager *the_manager(void)
{
    static ses_manager *manager;
    const struct ses_manager_options options = { .size = sizeof options, .clock = early };
    if (!manager)
        manager = ses_manager_new(
            "cookie",
            "{\"sealKeys\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\",\"sealChunks\":8}",
            &options, NULL);
    demand(manager != NULL);
    return manager;
}

static void come_with(ses_manager *manager, const uint8_t *data, size_t size)
{
    char *cookie = malloc(size + 4);
    demand(cookie != NULL);
    memcpy(cookie, "id=", 3);
    if (size > 0)
        memcpy(cookie + 3, data, size);
    const struct ses_slice field = { cookie, size + 3 };
    const struct ses_request request = { .size = sizeof request,
                                         .cookies = &field,
                                         .cookie_count = 1 };
    ses_session *session;
    struct ses_info info = { .size = sizeof info };
    demand(ses_start(manager, &request, &session) == SES_OK);
    demand(ses_info(session, &info) == SES_OK && info.is_new);
    ses_release(session);
    free(cookie);
}

static void change(ses_session *session)
{
    int r = ses_set_int(session, "n", 1);
    if (r == SES_OK)
        r = ses_commit(session, NULL);
    demand(r == SES_OK || r == SES_ERR_TOO_LARGE);
    if (r == SES_OK)
        demand(ses_session_id(session) != NULL);
}

static void open_content(ses_manager *manager, const uint8_t *data, size_t size)
{
    struct arena arena;
    const char *token;
    ses_session *session;
    arena_init(&arena, NULL, 0);
    demand(seal(manager->sealer, (struct ses_slice){ data, size }, &arena, &token) == SES_OK);
    int r = ses_open(manager, token, &session);
    demand(r == SES_OK || r == SES_ERR_NOT_FOUND);
    if (r == SES_OK) {
        change(session);
        ses_release(session);
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ses_manager *manager = the_manager();
    come_with(manager, data, size);
    open_content(manager, data, size);
    return 0;
}
