/* SPDX-License-Identifier: MIT */
/* The connections of providers with a server, over a pair of sockets. */
#include "support/test.h"

#include "shared/stream.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t pipes;

static void count_pipe(int signal)
{
    (void)signal;
    pipes++;
}

struct line {
    struct stream stream;
    int other; /* the server's end */
};

static struct line connected(void)
{
    int ends[2];
    const struct timeval patience = { .tv_usec = 20000 }; /* as stream_open() sets it */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    (void)setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return (struct line){ .stream = { .fd = ends[0], .patience_ms = 20 }, .other = ends[1] };
}

static void hang_up(struct line *line)
{
    stream_close(&line->stream);
    if (line->other >= 0)
        (void)close(line->other);
}

static void writing_to_a_dead_connection_raises_no_signal(void **state)
{
    (void)state;
    struct sigaction ours = { .sa_handler = count_pipe }, before;
    assert_int_equal(sigaction(SIGPIPE, &ours, &before), 0);
    struct line line = connected();
    (void)close(line.other);
    line.other = -1;
    for (int i = 0; i < 3; i++)
        assert_false(stream_send(&line.stream, "x", 1, deadline_in(1000)));
    assert_int_equal(pipes, 0);
    assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
    hang_up(&line);
}

static void waiting_to_read_ends_with_the_deadline(void **state)
{
    (void)state;
    struct line line = connected();
    char byte;
    const int64_t before = monotonic_ms();
    assert_int_equal(stream_receive(&line.stream, &byte, 1, deadline_in(60)), -1);
    assert_in_range(monotonic_ms() - before, 59, 2000);
    assert_int_equal(stream_receive(&line.stream, &byte, 1, deadline_in(0)), -1);
    hang_up(&line);
}

static void waiting_to_write_ends_with_the_deadline(void **state)
{
    (void)state;
    static char bytes[8 << 20];
    struct line line = connected();
    const int64_t before = monotonic_ms();
    assert_false(stream_send(&line.stream, bytes, sizeof bytes, deadline_in(60)));
    assert_in_range(monotonic_ms() - before, 59, 2000);
    hang_up(&line);
}

static void what_the_other_side_says_unasked_is_noticed(void **state)
{
    (void)state;
    struct line line = connected();
    assert_true(stream_is_quiet(&line.stream));
    assert_int_equal(write(line.other, "!", 1), 1);
    assert_false(stream_is_quiet(&line.stream));
    hang_up(&line);
    line = connected();
    (void)close(line.other);
    line.other = -1;
    assert_false(stream_is_quiet(&line.stream));
    hang_up(&line);
}

static void *read_slowly(void *arg)
{
    const struct line *line = arg;
    char bytes[1000];
    size_t total = 0;
    ssize_t got;
    while ((got = read(line->other, bytes, sizeof bytes)) > 0)
        total += (size_t)got;
    return (void *)total;
}

static void all_bytes_arrive_however_slowly_they_are_read(void **state)
{
    (void)state;
    enum { MANY = 4 << 20 };
    char *bytes = calloc(1, MANY);
    struct line line = connected();
    pthread_t reader;
    void *total;
    assert_int_equal(pthread_create(&reader, NULL, read_slowly, &line), 0);
    assert_true(stream_send(&line.stream, bytes, MANY, deadline_in(20000)));
    (void)shutdown(line.stream.fd, SHUT_WR);
    assert_int_equal(pthread_join(reader, &total), 0);
    assert_int_equal((size_t)total, MANY);
    free(bytes);
    hang_up(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_to_a_dead_connection_raises_no_signal),
        cmocka_unit_test(waiting_to_read_ends_with_the_deadline),
        cmocka_unit_test(waiting_to_write_ends_with_the_deadline),
        cmocka_unit_test(what_the_other_side_says_unasked_is_noticed),
        cmocka_unit_test(all_bytes_arrive_however_slowly_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
