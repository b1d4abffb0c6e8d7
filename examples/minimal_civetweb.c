/* Counts your visits on http://127.0.0.1:8080, or on the port that is given. */
#include <sesame/adapters/civetweb.h>
#include <stdio.h>
#include <unistd.h>

static int answer(struct mg_connection *connection, void *manager)
{
    ses_session *session;
    int r = ses_civetweb_start(manager, connection, &session);
    if (r < 0)
        return mg_send_http_error(connection, 503, "%s", ses_strerror(r)), 503;

    char page[64];
    int64_t visits = 0;
    r = ses_increment(session, "visits", 1);
    ses_get_int(session, "visits", &visits);
    int len = snprintf(page, sizeof page, "Visit number %lld.\n", (long long)visits);
    if (r == SES_OK) /* commits, then sends */
        r = ses_civetweb_send(session, connection, 200, "text/plain", page, (size_t)len);
    if (r < 0)
        mg_send_http_error(connection, 500, "%s", ses_strerror(r));
    ses_release(session);
    return r < 0 ? 500 : 200;
}

int main(int argc, char **argv)
{
    struct ses_error error;
    const char *options[] = { "listening_ports", argc > 1 ? argv[1] : "8080", NULL };
    ses_manager *manager = ses_manager_new("memory", "{\"idleTimeout\": 1800}", NULL, &error);
    struct mg_context *server = manager ? mg_start(NULL, NULL, options) : NULL;
    if (server) {
        mg_set_request_handler(server, "/", answer, manager);
        return pause();
    }
    (void)fprintf(stderr, "%s\n", manager ? "the port is taken" : error.message);
    return 1;
}
