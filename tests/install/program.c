/* SPDX-License-Identifier: MIT */
/*
 * What an application does, built against the installed library in each way that there is.
 *
 *   program PROVIDER [CONFIG]   prints the version, compiled and linked, and what a session
 * remembers
 */
#include <sesame/sesame.h>

#include <stdio.h>

/* The library has a function of this name inside. It is the program's to use. */
int store_load(void);
int store_load(void)
{
    return 42;
}

static int remember(ses_manager *manager, char id[128])
{
    ses_session *session;
    int r = ses_open(manager, NULL, &session);
    if (r < 0)
        return r;
    r = ses_set_text(session, "word", "sesame");
    if (r == SES_OK)
        r = ses_commit(session, NULL);
    const char *secret = ses_session_id(session);
    (void)snprintf(id, 128, "%s", secret ? secret : "");
    ses_release(session);
    return r;
}

static int recall(ses_manager *manager, const char *id)
{
    ses_session *session;
    const char *word = NULL;
    uint64_t count = 0;
    int r = ses_open(manager, id, &session);
    if (r < 0)
        return r;
    r = ses_get_text(session, "word", &word);
    if (r == SES_OK)
        r = ses_count(manager, &count);
    if (r == SES_OK)
        (void)printf("%s, %d\n", word, (int)count);
    ses_release(session);
    return r;
}

int main(int argc, char **argv)
{
    struct ses_error error;
    char id[128];
    if (argc < 2)
        return 2;
    ses_manager *manager = ses_manager_new(argv[1], argc > 2 ? argv[2] : NULL, NULL, &error);
    if (!manager) {
        (void)fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    (void)printf("%d.%d.%d %s %d\n", SES_VERSION_MAJOR, SES_VERSION_MINOR, SES_VERSION_PATCH,
                 ses_version(), store_load());
    int r = remember(manager, id);
    if (r == SES_OK)
        r = recall(manager, id);
    ses_manager_unref(manager);
    if (r < 0)
        (void)fprintf(stderr, "%s\n", ses_strerror(r));
    return r < 0;
}
