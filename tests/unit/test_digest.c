/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

#include "support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* FIPS 180-4 and the NIST example values. */
static const struct vector {
    const char *text;
    const char *hex;
} vectors[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "a", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "message digest", "f7846f55cf23e14eebeab5b4e1550cad5b509e3348fbc4efa3a1413d393cb650" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmn"
      "opqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
};

enum { VECTORS = sizeof vectors / sizeof vectors[0] };

static void to_hex(const unsigned char digest[SHA256_BYTES], char out[2 * SHA256_BYTES + 1])
{
    for (size_t i = 0; i < SHA256_BYTES; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static bool is_right(const struct vector *v)
{
    unsigned char digest[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    const struct ses_slice part = { v->text, strlen(v->text) };
    sha256(&part, 1, digest);
    to_hex(digest, hex);
    return strcmp(hex, v->hex) == 0;
}

static void the_published_vectors_come_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++)
        assert_true(is_right(&vectors[i]));
}

static void a_million_letters_come_out(void **state)
{
    (void)state;
    unsigned char digest[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    char *letters = malloc(1000000);
    memset(letters, 'a', 1000000);
    const struct ses_slice part = { letters, 1000000 };
    sha256(&part, 1, digest);
    to_hex(digest, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(letters);
}

static void parts_are_hashed_one_after_the_other(void **state)
{
    (void)state;
    const char *text = vectors[4].text;
    const size_t len = strlen(text);
    for (size_t cut = 0; cut <= len; cut++) {
        unsigned char digest[SHA256_BYTES];
        char hex[2 * SHA256_BYTES + 1];
        const struct ses_slice parts[] = {
            { text, cut }, { NULL, 0 }, { text + cut, len - cut }, { "", 0 }
        };
        sha256(parts, 4, digest);
        to_hex(digest, hex);
        assert_string_equal(hex, vectors[4].hex);
    }
}

static void no_part_at_all_is_the_empty_text(void **state)
{
    (void)state;
    unsigned char digest[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    sha256(NULL, 0, digest);
    to_hex(digest, hex);
    assert_string_equal(hex, vectors[0].hex);
}

static void *hash_often(void *arg)
{
    (void)arg;
    size_t wrong = 0;
    for (size_t i = 0; i < 2000; i++)
        wrong += !is_right(&vectors[i % VECTORS]);
    return (void *)(uintptr_t)wrong;
}

static void many_threads_hash_at_once(void **state)
{
    (void)state;
    enum { THREADS = 16, ROUNDS = 4 };
    for (size_t round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (size_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, hash_often, NULL), 0);
        for (size_t i = 0; i < THREADS; i++) {
            void *wrong;
            assert_int_equal(pthread_join(threads[i], &wrong), 0);
            assert_null(wrong);
        }
    }
}

/* An application may release a session from a destructor of its own thread data. */
static pthread_key_t late_key;
static bool late_was_right;

static void hash_late(void *arg)
{
    (void)arg;
    late_was_right = is_right(&vectors[2]);
}

static void *hash_and_end(void *arg)
{
    if (!is_right(&vectors[1]) || pthread_setspecific(late_key, arg) != 0)
        return NULL;
    return arg;
}

static void a_thread_that_ends_may_still_hash(void **state)
{
    pthread_t thread;
    void *done;
    assert_true(is_right(&vectors[0])); /* our own key is made before the application's */
    assert_int_equal(pthread_key_create(&late_key, hash_late), 0);
    assert_int_equal(pthread_create(&thread, NULL, hash_and_end, &state), 0);
    assert_int_equal(pthread_join(thread, &done), 0);
    assert_non_null(done);
    assert_true(late_was_right);
    pthread_key_delete(late_key);
}

static void a_forked_child_hashes_alike(void **state)
{
    (void)state;
    int status;
    assert_true(is_right(&vectors[3]));
    const pid_t child = fork();
    if (child == 0)
        _exit(is_right(&vectors[4]) && is_right(&vectors[5]) ? 0 : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_come_out),
        cmocka_unit_test(a_million_letters_come_out),
        cmocka_unit_test(parts_are_hashed_one_after_the_other),
        cmocka_unit_test(no_part_at_all_is_the_empty_text),
        cmocka_unit_test(many_threads_hash_at_once),
        cmocka_unit_test(a_thread_that_ends_may_still_hash),
        cmocka_unit_test(a_forked_child_hashes_alike),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
