/* SPDX-License-Identifier: MIT */
/* How often a request of a visitor's asks the server, counted by the server (MONITOR). */
#include "provider/redis_fixture.h"
#include "support/session_fixture.h"

#include <stdio.h>

static struct server server;

struct monitor {
    redisContext *context;
};

static void monitor_begin(struct monitor *monitor)
{
    char path[SERVER_PATH_ROOM];
    monitor->context = redisConnectUnix(server_file(&server, "redis.sock", path));
    redisReply *reply = redisCommand(monitor->context, "MONITOR");
    assert_non_null(reply);
    reply_free(reply);
}

/* Commands that clients have sent since it began; those of scripts are "lua", and each new
 * connection says PING. */
static unsigned monitor_end(struct monitor *monitor)
{
    unsigned count = 0;
    redisReply *reply = redis_say(&server, "ECHO that-was-all");
    reply_free(reply);
    for (;;) {
        void *line = NULL;
        assert_int_equal(redisGetReply(monitor->context, &line), REDIS_OK);
        const char *text = ((redisReply *)line)->str;
        const bool last = strstr(text, "that-was-all") != NULL;
        count += !last && !strstr(text, " lua]") && !strstr(text, "\"PING\"");
        freeReplyObject(line);
        if (last)
            break;
    }
    redisFree(monitor->context);
    return count;
}

static struct scene *open_scene(const char *more)
{
    char json[800], url[URL_ROOM];
    (void)snprintf(json, sizeof json, "{\"providerConfig\": \"%s\"%s}",
                   redis_unix_url(&server, "", url), more);
    return scene_new("redis", json);
}

/* The second time: the first one may have taught the server its scripts. */
static struct visitor visitor_of(struct scene *scene)
{
    (void)scene_visitor(scene, 1);
    return scene_visitor(scene, 1);
}

static void request_without_a_cookie_asks_nothing(void **state)
{
    (void)state;
    struct scene *scene = open_scene("");
    struct monitor monitor;
    monitor_begin(&monitor);
    scene_finish(scene_start(scene, NULL), NULL);
    assert_int_equal(monitor_end(&monitor), 0);
    scene_free(scene);
}

static void reading_asks_once(void **state)
{
    (void)state;
    struct scene *scene = open_scene("");
    struct visitor visitor = visitor_of(scene);
    struct monitor monitor;
    monitor_begin(&monitor);
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
    assert_int_equal(monitor_end(&monitor), 1);
    scene_free(scene);
}

static void reading_with_a_touch_due_asks_twice(void **state)
{
    (void)state;
    struct scene *scene = open_scene(", \"maxLifetime\": 1800");
    struct visitor visitor = visitor_of(scene), other = visitor_of(scene);
    struct monitor monitor;
    scene->now_ms += 120000;
    scene_finish(scene_visit(scene, &other), &other);
    monitor_begin(&monitor);
    scene_finish(scene_visit(scene, &visitor), &visitor);
    assert_int_equal(monitor_end(&monitor), 2);
    scene_free(scene);
}

static void writing_asks_twice(void **state)
{
    (void)state;
    struct scene *scene = open_scene("");
    struct visitor visitor = visitor_of(scene);
    struct monitor monitor;
    for (int i = 0; i < 2; i++) {
        monitor_begin(&monitor);
        ses_session *session = scene_visit(scene, &visitor);
        assert_ok(ses_increment(session, "n", 1));
        scene_finish(session, &visitor);
        const unsigned asked = monitor_end(&monitor);
        if (i == 1)
            assert_int_equal(asked, 2);
    }
    scene_free(scene);
}

static void made_up_id_asks_nothing_with_an_id_key(void **state)
{
    (void)state;
    struct scene *scene = open_scene(", \"idKey\": \"0123456789abcdef0123456789abcdef\"");
    struct visitor visitor = visitor_of(scene);
    struct monitor monitor;
    char *last = visitor.cookie + strlen(visitor.cookie) - 8;
    *last = *last == 'A' ? 'B' : 'A';
    monitor_begin(&monitor);
    ses_session *session = scene_visit(scene, &visitor);
    assert_true(session_is_new(session));
    ses_release(session);
    assert_int_equal(monitor_end(&monitor), 0);
    scene_free(scene);
}

static void neither_an_id_nor_a_user_reaches_the_server(void **state)
{
    (void)state;
    struct scene *scene = open_scene("");
    struct monitor monitor = { NULL };
    char path[SERVER_PATH_ROOM], id[128];
    monitor.context = redisConnectUnix(server_file(&server, "redis.sock", path));
    reply_free(redisCommand(monitor.context, "MONITOR"));
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_login(session, "ann@example.org", SES_LEVEL_FULL, 0));
    scene_finish(session, &visitor);
    (void)snprintf(id, sizeof id, "%s", cookie_value(visitor.cookie));
    assert_ok(scene_exists(scene, &visitor));
    reply_free(redis_say(&server, "ECHO that-was-all"));
    for (bool last = false; !last;) {
        void *line = NULL;
        assert_int_equal(redisGetReply(monitor.context, &line), REDIS_OK);
        last = strstr(((redisReply *)line)->str, "that-was-all") != NULL;
        assert_null(strstr(((redisReply *)line)->str, id));
        freeReplyObject(line);
    }
    redisFree(monitor.context);
    scene_free(scene);
}

static int start(void **state)
{
    (void)state;
    redis_start(&server, NULL);
    return ses_provider_register(&ses_provider_redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_without_a_cookie_asks_nothing),
        cmocka_unit_test(reading_asks_once),
        cmocka_unit_test(reading_with_a_touch_due_asks_twice),
        cmocka_unit_test(writing_asks_twice),
        cmocka_unit_test(made_up_id_asks_nothing_with_an_id_key),
        cmocka_unit_test(neither_an_id_nor_a_user_reaches_the_server),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
