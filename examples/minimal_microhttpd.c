/* Counts your visits on http://127.0.0.1:8080, or on the port that is given. */
#include <sesame/adapters/microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum MHD_Result answer(void *manager, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *body_bytes, void **called)
{
    (void)path, (void)method, (void)version, (void)body;
    if (!*called || *body_bytes > 0) /* libmicrohttpd calls again when all has come */
        return *called = manager, *body_bytes = 0, MHD_YES;
    ses_session *session;
    if (ses_mhd_start(manager, connection, &session) < 0)
        return MHD_NO;
    char page[64];
    int64_t visits = 0;
    int r = ses_increment(session, "visits", 1);
    ses_get_int(session, "visits", &visits);
    int len = snprintf(page, sizeof page, "Visit number %lld.\n", (long long)visits);
    struct MHD_Response *response =
        MHD_create_response_from_buffer((size_t)len, page, MHD_RESPMEM_MUST_COPY);
    if (r == SES_OK)
        r = ses_mhd_queue(session, connection, MHD_HTTP_OK, response); /* commits */
    MHD_destroy_response(response);
    ses_release(session);
    return r == SES_OK ? MHD_YES : MHD_NO;
}

int main(int argc, char **argv)
{
    struct ses_error error;
    uint16_t port = argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 8080;
    ses_manager *manager = ses_manager_new("memory", NULL, NULL, &error);
    if (manager && MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, port, NULL, NULL, answer, manager,
                                    MHD_OPTION_END))
        return pause();
    (void)fprintf(stderr, "%s\n", manager ? "the port is taken" : error.message);
    return 1;
}
