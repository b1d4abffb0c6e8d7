/* SPDX-License-Identifier: MIT */
/* A server that answers what memcached would not, or not then. */
#include "provider/memcached_fixture.h"
#include "shared/deadline.h"

#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_ROOM = 8192, LOOK_MS = 10 };

/* Answers each command with a fixed text, in which % stands for the item's name, and ! for the
 * whole command. One connection at a time. */
struct liar {
    struct server place;
    int listener;
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t mutex;
    const char *settings, *gets, *store, *delete; /* under the mutex; NULL: hangs up */
    atomic_int connections, stores;
    atomic_int serving; /* the connection, or 0 */
};

static struct liar liar;

static const char fit[] = "STAT item_size_max 1048576\r\nSTAT cas_enabled yes\r\nEND\r\n";

/* ---- the server ---- */

static void say(int fd, const char *text, const char *command)
{
    char name[LINE_ROOM] = "", out[3 * LINE_ROOM];
    size_t len = 0;
    (void)sscanf(command, "%*s %4000s", name);
    for (; *text && len < LINE_ROOM; text++) {
        const char *insert = *text == '%' ? name : *text == '!' ? command : NULL;
        if (insert)
            len += (size_t)snprintf(out + len, sizeof out - len, "%s", insert);
        else
            out[len++] = *text;
    }
    (void)send(fd, out, len, MSG_NOSIGNAL);
}

static const char *answer_to(const char *command)
{
    (void)pthread_mutex_lock(&liar.mutex);
    const char *answer = liar.store;
    if (strncmp(command, "stats ", 6) == 0)
        answer = liar.settings;
    else if (strncmp(command, "version", 7) == 0)
        answer = "VERSION 1\r\n";
    else if (strncmp(command, "gets ", 5) == 0)
        answer = liar.gets;
    else if (strncmp(command, "delete ", 7) == 0)
        answer = liar.delete;
    else
        liar.stores++;
    (void)pthread_mutex_unlock(&liar.mutex);
    return answer;
}

static void swallow_block(FILE *in, const char *command)
{
    unsigned len;
    if (sscanf(command, "%*s %*s %*u %*d %u", &len) != 1)
        return;
    for (unsigned i = 0; i < len + 2; i++)
        (void)fgetc(in);
}

static void serve(int fd)
{
    char command[LINE_ROOM];
    FILE *in = fdopen(fd, "r");
    while (in && fgets(command, sizeof command, in)) {
        const char *answer = answer_to(command);
        if (!answer)
            break;
        swallow_block(in, command);
        command[strcspn(command, "\r\n")] = '\0';
        say(fd, answer, command);
    }
    if (in)
        (void)fclose(in);
}

static void *lie(void *arg)
{
    struct pollfd wanted = { .fd = liar.listener, .events = POLLIN };
    (void)arg;
    while (!liar.stopping) {
        if (poll(&wanted, 1, LOOK_MS) <= 0)
            continue;
        const int fd = accept4(liar.listener, NULL, NULL, SOCK_CLOEXEC);
        liar.connections++;
        if (fd < 0)
            continue;
        liar.serving = fd;
        serve(fd);
        liar.serving = 0;
    }
    return NULL;
}

/* On a unix socket, in the folder of a server that is none. */
static int start_liar(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char path[SERVER_PATH_ROOM];
    (void)state;
    server_prepare(&liar.place);
    (void)memcached_socket(&liar.place, path);
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    (void)pthread_mutex_init(&liar.mutex, NULL);
    liar.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(liar.listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(liar.listener, 16) < 0)
        err(2, "liar");
    return pthread_create(&liar.thread, NULL, lie, NULL);
}

/* A test that failed has left its own open. */
static void end_connection(void)
{
    if (liar.serving > 0)
        (void)shutdown(liar.serving, SHUT_RDWR);
}

static int stop_liar(void **state)
{
    (void)state;
    liar.stopping = true;
    end_connection();
    (void)pthread_join(liar.thread, NULL);
    (void)close(liar.listener);
    server_end(&liar.place);
    return 0;
}

static void answer_with(const char *gets, const char *store, const char *delete)
{
    (void)pthread_mutex_lock(&liar.mutex);
    liar.settings = fit;
    liar.gets = gets;
    liar.store = store;
    liar.delete = delete;
    (void)pthread_mutex_unlock(&liar.mutex);
}

/* ---- the store ---- */

static struct memcached_shop *open_shop(void)
{
    const struct memcached_tuning tuning = { .budget_ms = 400, .pool_size = 1 };
    struct memcached_shop *shop = calloc(1, sizeof *shop);
    char config[CONFIG_ROOM];
    (void)memcached_config_of(&liar.place, config);
    end_connection();
    answer_with("END\r\n", "STORED\r\n", "DELETED\r\n");
    assert_ok(shop_open(shop, config, &tuning));
    return shop;
}

static void end(struct memcached_shop *shop)
{
    shop_close(shop);
    free(shop);
}

static int load(const struct memcached_shop *shop, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(shop->f.store, key, shop->f.now, &record);
    drop_record(&record);
    return r;
}

static int create(struct memcached_shop *shop, const struct ses_key *key)
{
    struct ses_record record = make_record(SLICE("alpha"), shop->f.now + LIFE_MS);
    const int r = store_create(shop->f.store, key, shop->f.now, NULL, &record);
    drop_record(&record);
    return r;
}

/* ---- the tests ---- */

static const char longest_line[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                   "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%\r\n";

static const char *const read_answers[] = {
    "",
    "\r\n",
    "E",
    "END",
    "END\r\nEND\r\n",
    "END\r\nVALUE % 0 1 1\r\nx\r\nEND\r\n",
    "END \r\n",
    "end\r\n",
    "STORED\r\n",
    "NOT_FOUND\r\n",
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "VALUE other 0 1 1\r\nx\r\nEND\r\n",
    "VALUE %x 0 1 1\r\nx\r\nEND\r\n",
    "VALUE sesame-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef 0 1 1\r\n"
    "x\r\nEND\r\n",
    "VALUE % 0 1\r\nx\r\nEND\r\n",
    "VALUE % 0 1 1 1\r\nx\r\nEND\r\n",
    "VALUE % 0 1 x\r\nx\r\nEND\r\n",
    "VALUE % 0 -1 1\r\nEND\r\n",
    "VALUE % 0  1 1\r\nx\r\nEND\r\n",
    "VALUE % 0 2 1\r\nx\r\nEND\r\n",
    "VALUE % 0 1 1\r\nxx\r\nEND\r\n",
    "VALUE % 0 1 1\r\nx\r\nEND\r\nx",
    "VALUE % 0 1 1\r\nx\r\nVALUE % 0 1 1\r\nx\r\nEND\r\n",
    "VALUE % 0 1 1\r\nx\r\nEN",
    "VALUE % 0 1048577 1\r\nx\r\nEND\r\n",
    "VALUE % 0 4294967297 1\r\nx\r\nEND\r\n",
    "VALUE % 0 18446744073709551615 1\r\nx\r\nEND\r\n",
    "VALUE % 0 18446744073709551617 1\r\nx\r\nEND\r\n",
    "ERROR\r\n",
    "ERROR\r\nEND\r\n",
    "SERVER_ERROR busy\r\n",
    "SERVER_ERROR out of memory writing get response\r\n",
    "SERVER_ERROR object too large for cache\r\n",
    "CLIENT_ERROR line too long\r\n",
    longest_line,
    NULL,
};

static void senseless_answer_to_a_read_is_never_served_and_its_connection_closed(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_shop();
    const struct ses_key key = new_key();
    for (size_t i = 0; i < sizeof read_answers / sizeof *read_answers; i++) {
        const int before = liar.connections;
        const int64_t began = monotonic_ms();
        answer_with(read_answers[i], "STORED\r\n", "DELETED\r\n");
        const int r = load(shop, &key);
        if (r != SES_ERR_UNAVAILABLE)
            fail_msg("answer %zu: %s", i, ses_strerror(r));
        assert_in_range(monotonic_ms() - began, 0, 1500);
        answer_with("END\r\n", "STORED\r\n", "DELETED\r\n");
        assert_code(load(shop, &key), SES_ERR_NOT_FOUND);
        assert_true(liar.connections > before);
    }
    end(shop);
}

static void senseless_answer_to_a_write_leaves_it_unknown_and_not_repeated(void **state)
{
    static const char *const answers[] = {
        "STORE",
        "STORED\r\nSTORED\r\n",
        "stored\r\n",
        "EXISTS\r\n",
        "DELETED\r\n",
        "END\r\n",
        "NOT_FOUND\r\n",
        "STORED \r\n",
        "\r\n",
        "OK\r\n",
        "ERROR\r\n",
        "SERVER_ERROR\r\n",
        "CLIENT_ERROR bad data chunk\r\n",
        NULL,
    };
    (void)state;
    struct memcached_shop *shop = open_shop();
    const struct ses_key key = new_key();
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const int before = liar.connections, stores = liar.stores;
        answer_with("END\r\n", answers[i], "DELETED\r\n");
        const int r = create(shop, &key);
        if (r != SES_ERR_UNAVAILABLE)
            fail_msg("answer %zu: %s", i, ses_strerror(r));
        assert_int_equal(liar.stores, stores + 1);
        answer_with("END\r\n", "STORED\r\n", "DELETED\r\n");
        assert_code(load(shop, &key), SES_ERR_NOT_FOUND);
        assert_int_equal(liar.connections, before + 1);
    }
    end(shop);
}

static volatile sig_atomic_t pipes;

static void count_pipe(int signal)
{
    (void)signal;
    pipes++;
}

/* What does not fit between the two is still to be written when the server is gone. */
static void server_that_hangs_up_amid_a_write_raises_no_signal(void **state)
{
    enum { MUCH = 900000 };
    static unsigned char bytes[MUCH];
    struct sigaction ours = { .sa_handler = count_pipe }, before, after;
    (void)state;
    assert_int_equal(sigaction(SIGPIPE, &ours, &before), 0);
    struct memcached_shop *shop = open_shop();
    struct ses_record record =
        make_record((struct ses_slice){ bytes, MUCH }, shop->f.now + LIFE_MS);
    for (int i = 0; i < 3; i++) {
        const struct ses_key key = new_key();
        answer_with("END\r\n", NULL, NULL);
        assert_code(store_create(shop->f.store, &key, shop->f.now, NULL, &record),
                    SES_ERR_UNAVAILABLE);
        answer_with("END\r\n", "STORED\r\n", "DELETED\r\n");
        assert_code(load(shop, &key), SES_ERR_NOT_FOUND);
    }
    assert_int_equal(sigaction(SIGPIPE, &before, &after), 0);
    assert_true(after.sa_handler == count_pipe);
    assert_int_equal(pipes, 0);
    drop_record(&record);
    end(shop);
}

static void server_without_room_is_full_and_a_record_is_destroyed_all_the_same(void **state)
{
    static const char *const answers[] = { "SERVER_ERROR out of memory storing object\r\n",
                                           "SERVER_ERROR Out of memory during read\r\n" };
    (void)state;
    struct memcached_shop *shop = open_shop();
    const struct ses_key key = new_key();
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        answer_with("END\r\n", answers[i], "DELETED\r\n");
        assert_code(create(shop, &key), SES_ERR_FULL);
        assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
        answer_with("END\r\n", answers[i], "NOT_FOUND\r\n");
        assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
        answer_with("END\r\n", answers[i], "ERROR\r\n");
        assert_code(store_destroy(shop->f.store, &key, shop->f.now), SES_ERR_UNAVAILABLE);
    }
    end(shop);
}

static void server_that_is_no_memcached_is_told_at_open(void **state)
{
    static const char *const answers[] = {
        "ERROR\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "CLIENT_ERROR unauthenticated\r\n",
        "-ERR unknown command\r\n",
        "STAT cas_enabled yes\r\nEND\r\nEND\r\n",
        NULL,
    };
    (void)state;
    char config[CONFIG_ROOM];
    const struct memcached_tuning tuning = { .budget_ms = 400, .pool_size = 1 };
    (void)memcached_config_of(&liar.place, config);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct memcached_shop *shop = calloc(1, sizeof *shop);
        (void)pthread_mutex_lock(&liar.mutex);
        liar.settings = answers[i];
        (void)pthread_mutex_unlock(&liar.mutex);
        assert_code(shop_open(shop, config, &tuning), SES_ERR_UNAVAILABLE);
        assert_non_null(strstr(shop->told, "text protocol"));
        assert_int_equal(shop->lines, 1);
        end(shop);
    }
}

/* Each error quotes the command that it is about, with the item's name. */
static void no_line_of_the_log_has_a_byte_of_a_key_or_a_record(void **state)
{
    static const char *const errors[] = { "CLIENT_ERROR !\r\n",
                                          "SERVER_ERROR !\r\n",
                                          "SERVER_ERROR out of memory !\r\n",
                                          "!\r\n",
                                          "VALUE % 0 5 1\r\nalpha\r\nEND\r\n",
                                          "ERROR\r\n" };
    (void)state;
    struct memcached_shop *shop = open_shop();
    const struct ses_key key = new_key();
    char name[ITEM_NAME_ROOM];
    (void)item_name(&key, name);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        answer_with(errors[i], errors[i], errors[i]);
        (void)load(shop, &key);
        (void)create(shop, &key);
        answer_with("END\r\n", "STORED\r\n", "DELETED\r\n");
        (void)load(shop, &key); /* the server counts as there again */
        answer_with(errors[i], errors[i], errors[i]);
        (void)save_as(&shop->f, &key, 1, "alpha", SES_KIND_SESSION);
        (void)store_destroy(shop->f.store, &key, shop->f.now);
        answer_with("END\r\n", "STORED\r\n", "DELETED\r\n");
        (void)load(shop, &key);
    }
    assert_true(shop->lines >= 20);
    name[20] = '\0'; /* its first bytes are enough */
    assert_null(strstr(shop->all, name));
    assert_null(strstr(shop->all, "alpha"));
    end(shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(senseless_answer_to_a_read_is_never_served_and_its_connection_closed),
        cmocka_unit_test(senseless_answer_to_a_write_leaves_it_unknown_and_not_repeated),
        cmocka_unit_test(server_that_hangs_up_amid_a_write_raises_no_signal),
        cmocka_unit_test(server_without_room_is_full_and_a_record_is_destroyed_all_the_same),
        cmocka_unit_test(server_that_is_no_memcached_is_told_at_open),
        cmocka_unit_test(no_line_of_the_log_has_a_byte_of_a_key_or_a_record),
    };
    return cmocka_run_group_tests(tests, start_liar, stop_liar);
}
