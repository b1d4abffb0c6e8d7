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

/* ---- HMAC ---- */

/* RFC 4231, section 4. A key or text of one letter only is written as letter and length. */
static const struct hmac_vector {
    const char *key;
    size_t key_len;
    const char *text;
    size_t text_len;
    const char *hex; /* case 5 is published cut to 16 bytes */
} hmac_vectors[] = {
    { "\x0b", 20, "Hi There", 8,
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { "Jefe", 4, "what do ya want for nothing?", 28,
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { "\xaa", 20, "\xdd", 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    { "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"
      "\x18\x19",
      25, "\xcd", 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    { "\x0c", 20, "Test With Truncation", 20, "a3b6167473100ee06e0c796c2955552b" },
    { "\xaa", 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    { "\xaa", 131,
      "This is a test using a larger than block-size key and a larger than block-size data. The "
      "key needs to be hashed before being used by the HMAC algorithm.",
      152, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
};

static struct ses_slice spread(const char *text, size_t len, char out[256])
{
    if (strlen(text) == 1)
        memset(out, text[0], len);
    else
        memcpy(out, text, len);
    return (struct ses_slice){ out, len };
}

static void the_published_vectors_of_hmac_come_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hmac_vectors / sizeof hmac_vectors[0]; i++) {
        const struct hmac_vector *v = &hmac_vectors[i];
        unsigned char mac[SHA256_BYTES];
        char key_bytes[256], text_bytes[256], hex[2 * SHA256_BYTES + 1];
        struct hmac_key key;
        const struct ses_slice text = spread(v->text, v->text_len, text_bytes);
        hmac_key_init(&key, spread(v->key, v->key_len, key_bytes));
        hmac_sha256(&key, &text, 1, mac);
        to_hex(mac, hex);
        hex[strlen(v->hex)] = '\0';
        assert_string_equal(hex, v->hex);
    }
}

static void a_key_of_hmac_serves_often_and_parts_count_as_one_text(void **state)
{
    (void)state;
    const struct hmac_vector *v = &hmac_vectors[1];
    struct hmac_key key;
    hmac_key_init(&key, (struct ses_slice){ v->key, v->key_len });
    for (size_t cut = 0; cut <= v->text_len; cut++) {
        unsigned char mac[SHA256_BYTES];
        char hex[2 * SHA256_BYTES + 1];
        const struct ses_slice parts[] = { { v->text, cut },
                                           { NULL, 0 },
                                           { v->text + cut, v->text_len - cut } };
        hmac_sha256(&key, parts, 3, mac);
        to_hex(mac, hex);
        assert_string_equal(hex, v->hex);
    }
}

/* A key is padded with zeros to a block of 64 bytes, and hashed only when it is longer; the values
 * are those of Python's hmac. */
static void a_key_is_hashed_only_when_it_is_longer_than_a_block(void **state)
{
    (void)state;
    static const char *const right[] = {
        "a73e4ae46b2a9f2402fff056e156c0a25551e3db5097f9367522239bfbc2d02e",
        "83026a325aaee70e36cfe607536aa1054104ad1077c36134810d4ccded1ccd3b",
        "41f1c4cc3107cd5b8d92460f61032902bfdb06484eef17e861b83a5012d3b7f3",
    };
    char secret[65];
    memset(secret, 'k', sizeof secret);
    for (size_t i = 0; i < 3; i++) {
        unsigned char mac[SHA256_BYTES];
        char hex[2 * SHA256_BYTES + 1];
        struct hmac_key key;
        hmac_key_init(&key, (struct ses_slice){ secret, 63 + i });
        hmac_sha256(&key, NULL, 0, mac);
        to_hex(mac, hex);
        assert_string_equal(hex, right[i]);
    }
}

static void a_wiped_key_is_all_zeros(void **state)
{
    (void)state;
    static const struct hmac_key zeros;
    struct hmac_key key;
    hmac_key_init(&key, (struct ses_slice){ "secret", 6 });
    assert_memory_not_equal(&key, &zeros, sizeof key);
    hmac_key_wipe(&key);
    assert_memory_equal(&key, &zeros, sizeof key);
}

static void digests_are_equal_when_every_byte_is(void **state)
{
    (void)state;
    unsigned char a[SHA256_BYTES], b[SHA256_BYTES];
    memset(a, 0x5a, sizeof a);
    memcpy(b, a, sizeof b);
    assert_true(digest_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x80;
        assert_false(digest_equal(a, b, sizeof a));
        assert_true(digest_equal(a, b, i));
        b[i] ^= 0x80;
    }
}

/* ---- threads and processes ---- */

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
        cmocka_unit_test(the_published_vectors_of_hmac_come_out),
        cmocka_unit_test(a_key_of_hmac_serves_often_and_parts_count_as_one_text),
        cmocka_unit_test(a_key_is_hashed_only_when_it_is_longer_than_a_block),
        cmocka_unit_test(a_wiped_key_is_all_zeros),
        cmocka_unit_test(digests_are_equal_when_every_byte_is),
        cmocka_unit_test(many_threads_hash_at_once),
        cmocka_unit_test(a_thread_that_ends_may_still_hash),
        cmocka_unit_test(a_forked_child_hashes_alike),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
