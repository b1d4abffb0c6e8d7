/* SPDX-License-Identifier: MIT */
#include "core/id.h"

#include "base/base64url.h"
#include "base/digest.h"
#include "base/slice.h"

#include "support/test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the kernel's generator, as the test wants it (-Wl,--wrap=getrandom) ---- */

enum mood { HONEST, FAILS, GIVES_NOTHING, GIVES_TOO_MUCH, ONE_BYTE_EACH, INTERRUPTED, DIES_LATER };

static enum mood mood;
static unsigned asked;
static unsigned given_flags;

ssize_t __real_getrandom(void *out, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);

ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags)
{
    asked++;
    given_flags |= flags;
    switch (mood) {
    case FAILS:
        errno = ENOSYS;
        return -1;
    case GIVES_NOTHING:
        return 0;
    case GIVES_TOO_MUCH:
        return (ssize_t)len + 1;
    case ONE_BYTE_EACH:
        return __real_getrandom(out, 1, flags);
    case INTERRUPTED:
        if (asked % 3 != 0) {
            errno = EINTR;
            return -1;
        }
        return __real_getrandom(out, len > 5 ? 5 : len, flags);
    case DIES_LATER:
        if (asked > 2) {
            errno = EIO;
            return -1;
        }
        return __real_getrandom(out, 4, flags);
    case HONEST:
        break;
    }
    return __real_getrandom(out, len, flags);
}

static int set_up(void **state)
{
    (void)state;
    mood = HONEST;
    asked = 0;
    given_flags = 0;
    return 0;
}

/* ---- helpers ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static struct id_format format_of(size_t random_bytes, const char *prefix, const char *realm)
{
    return (struct id_format){ .purpose = ID_OF_SESSION,
                               .prefix = slice_of_text(prefix),
                               .realm = slice_of_text(realm),
                               .random_bytes = random_bytes };
}

static struct id_format plain_format(void)
{
    return format_of(32, "", "id");
}

/* From memory of exactly that size, so that ASan sees one byte too many. */
static int parse_tight(const struct id_format *format, const void *text, size_t len, struct id *ret)
{
    char *tight = malloc(len ? len : 1);
    if (len > 0)
        memcpy(tight, text, len);
    const int r = id_parse(format, (struct ses_slice){ tight, len }, ret);
    free(tight);
    return r;
}

static int parse_text(const struct id_format *format, const char *text, struct id *ret)
{
    return parse_tight(format, text, strlen(text), ret);
}

static void assert_refused(const struct id_format *format, const void *text, size_t len)
{
    struct id id, before;
    memset(&id, 0x5a, sizeof id);
    memcpy(&before, &id, sizeof id);
    assert_code(parse_tight(format, text, len, &id), SES_ERR_NOT_FOUND);
    assert_memory_equal(&id, &before, sizeof id);
}

/* An id of that version, whose random bytes are all @p fill. */
static size_t forge(unsigned char version, size_t random_bytes, int fill, char *out)
{
    unsigned char bytes[1 + 2 * ID_RANDOM_MAX];
    memset(bytes, fill, sizeof bytes);
    bytes[0] = version;
    base64url_encode(bytes, 1 + random_bytes, out);
    return BASE64URL_LEN(1 + random_bytes);
}

/* ---- the form ---- */

static void an_id_is_prefix_and_base64url_of_version_and_random_bytes(void **state)
{
    (void)state;
    for (size_t n = ID_RANDOM_MIN; n <= ID_RANDOM_MAX; n++) {
        const struct id_format format = format_of(n, "app.", "id");
        unsigned char bytes[1 + ID_RANDOM_MAX];
        struct id id;
        assert_ok(id_make(&format, &id));
        assert_int_equal(strlen(id.text), 4 + BASE64URL_LEN(1 + n));
        assert_memory_equal(id.text, "app.AQ", 5); /* version byte 1 */
        assert_true(base64url_decode(slice_of_text(id.text + 4), bytes));
        assert_int_equal(bytes[0], 1);
    }
}

static void every_length_reads_back_with_the_same_key_whatever_is_configured_now(void **state)
{
    (void)state;
    const struct id_format now = format_of(32, "", "id");
    for (size_t n = ID_RANDOM_MIN; n <= ID_RANDOM_MAX; n++) {
        const struct id_format then = format_of(n, "", "id");
        struct id made, read;
        assert_ok(id_make(&then, &made));
        assert_ok(parse_text(&now, made.text, &read));
        assert_string_equal(read.text, made.text);
        assert_true(ses_key_equal(&read.key, &made.key));
    }
}

static void the_longest_id_fits(void **state)
{
    (void)state;
    char prefix[ID_PREFIX_MAX + 1], realm[REALM_MAX + 1];
    memset(prefix, 'p', ID_PREFIX_MAX);
    prefix[ID_PREFIX_MAX] = '\0';
    memset(realm, 'r', REALM_MAX);
    realm[REALM_MAX] = '\0';
    const struct id_format format = format_of(ID_RANDOM_MAX, prefix, realm);
    struct id made, read;
    assert_ok(id_make(&format, &made));
    assert_true(strlen(made.text) <= ID_TEXT_MAX);
    assert_ok(parse_text(&format, made.text, &read));
    assert_true(ses_key_equal(&read.key, &made.key));
}

static void the_key_is_the_documented_hash(void **state)
{
    (void)state;
    char text[64] = "";
    unsigned char bytes[33], digest[SHA256_BYTES];
    const struct id_format format = format_of(32, "p-", "shop");
    struct id id;
    memcpy(text, "p-", 2);
    (void)forge(1, 32, 0xab, text + 2);
    assert_ok(parse_text(&format, text, &id));

    memset(bytes, 0xab, sizeof bytes);
    bytes[0] = 1;
    const struct ses_slice parts[] = { { "\1\4shop", 6 }, { bytes, sizeof bytes } };
    sha256(parts, 2, digest);
    assert_memory_equal(id.key.bytes, digest, SES_KEY_BYTES);
}

static void the_key_holds_no_byte_run_of_the_id(void **state)
{
    (void)state;
    const struct id_format format = plain_format();
    for (int round = 0; round < 200; round++) {
        unsigned char bytes[33];
        struct id id;
        assert_ok(id_make(&format, &id));
        assert_true(base64url_decode(slice_of_text(id.text), bytes));
        for (size_t i = 0; i + 8 <= sizeof bytes; i++)
            assert_null(memmem(id.key.bytes, SES_KEY_BYTES, bytes + i, 8));
        assert_null(memmem(id.key.bytes, SES_KEY_BYTES, id.text + 2, 8));
    }
}

/* ---- what clients send ---- */

static void each_value_has_one_text_only(void **state)
{
    (void)state;
    const struct id_format format = plain_format();
    for (size_t n = ID_RANDOM_MIN; n <= ID_RANDOM_MAX; n++) {
        char text[128] = "";
        struct id id;
        const size_t len = forge(1, n, 0xc3, text);
        const size_t stray = len * 6 % 8;
        const char last = text[len - 1];
        size_t accepted = 0;
        for (const char *c = alphabet; *c; c++) {
            text[len - 1] = *c;
            accepted += parse_tight(&format, text, len, &id) == SES_OK;
        }
        assert_int_equal(accepted, 64u >> stray);
        text[len - 1] = last;
        assert_ok(parse_tight(&format, text, len, &id));
    }
}

static void padding_and_blanks_around_an_id_are_refused(void **state)
{
    (void)state;
    static const char *const tails[] = { "=",    "==", "===", " ", "\t",  "\n",
                                         "\r\n", ".",  ";",   ",", "%3D", "\"" };
    const struct id_format format = plain_format();
    struct id id;
    char text[ID_TEXT_MAX + 64];
    assert_ok(id_make(&format, &id));
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        (void)snprintf(text, sizeof text, "%s%s", id.text, tails[i]);
        assert_refused(&format, text, strlen(text));
        (void)snprintf(text, sizeof text, "%s%s", tails[i], id.text);
        assert_refused(&format, text, strlen(text));
    }
    assert_refused(&format, id.text, strlen(id.text) + 1); /* its NUL */
}

static void every_byte_at_every_position_gives_another_key_or_nothing(void **state)
{
    (void)state;
    const struct id_format format = plain_format();
    char text[64] = "";
    struct id original, id;
    const size_t len = forge(1, 32, 0x11, text);
    assert_ok(parse_tight(&format, text, len, &original));
    for (size_t at = 0; at < len; at++) {
        const char kept = text[at];
        for (int byte = 0; byte < 256; byte++) {
            text[at] = (char)byte;
            if (text[at] == kept || parse_tight(&format, text, len, &id) != SES_OK)
                continue;
            assert_non_null(strchr(alphabet, byte));
            assert_memory_equal(id.text, text, len + 1);
            assert_false(ses_key_equal(&id.key, &original.key));
        }
        text[at] = kept;
    }
}

/* T-5: nothing, one character, NULs, too long. */
static void the_corpus_of_degenerate_ids_is_refused(void **state)
{
    (void)state;
    static const char nuls[4096];
    const struct id_format format = plain_format();
    struct id id;
    assert_refused(&format, "", 0);
    assert_code(id_parse(&format, (struct ses_slice){ NULL, 0 }, &id), SES_ERR_NOT_FOUND);
    for (int byte = 0; byte < 256; byte++)
        assert_refused(&format, &(char){ (char)byte }, 1);
    for (size_t len = 0; len <= 200; len++)
        assert_refused(&format, nuls, len);
    assert_refused(&format, nuls, sizeof nuls);

    char *endless = malloc(1 << 20);
    memset(endless, 'A', 1 << 20);
    memcpy(endless, "AQ", 2);
    assert_refused(&format, endless, 1 << 20);
    free(endless);
}

static void of_all_lengths_only_those_of_16_to_64_random_bytes_are_taken(void **state)
{
    (void)state;
    const struct id_format format = plain_format();
    char text[201];
    struct id id;
    memset(text, 'A', sizeof text);
    memcpy(text, "AQ", 2); /* version 1, and zeros: canonical at every length */
    for (size_t len = 0; len <= 200; len++) {
        const size_t bytes = len * 3 / 4;
        const bool right = len % 4 != 1 && bytes >= 1 + ID_RANDOM_MIN && bytes <= 1 + ID_RANDOM_MAX;
        if (right)
            assert_ok(parse_tight(&format, text, len, &id));
        else
            assert_refused(&format, text, len);
    }
}

static void zeros_are_an_id_like_any_other_and_share_no_key_across_lengths(void **state)
{
    (void)state;
    const struct id_format format = plain_format();
    struct id ids[ID_RANDOM_MAX + 1];
    char text[128];
    for (size_t n = ID_RANDOM_MIN; n <= ID_RANDOM_MAX; n++) {
        const size_t len = forge(1, n, 0, text);
        assert_ok(parse_tight(&format, text, len, &ids[n]));
        for (size_t m = ID_RANDOM_MIN; m < n; m++)
            assert_false(ses_key_equal(&ids[m].key, &ids[n].key));
    }
}

static void other_versions_are_refused(void **state)
{
    (void)state;
    const struct id_format format = plain_format();
    struct id id;
    char text[64];
    for (unsigned version = 0; version < 256; version++) {
        const size_t len = forge((unsigned char)version, 32, 0x77, text);
        if (version == 1)
            assert_ok(parse_tight(&format, text, len, &id));
        else
            assert_refused(&format, text, len);
    }
}

static void paths_and_other_tricks_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "../../../../etc/passwd",
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
        "C:\\AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
        "' OR '1'='1' -- AQEBAQEBAQEBAQEBAQEBAQEBAQEB",
        "550e8400-e29b-41d4-a716-446655440000",
        "0123456789abcdef0123456789abcdef",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEB\r\nSet-Cookie: a",
        "s:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBA.x",
    };
    const struct id_format format = plain_format();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_refused(&format, texts[i], strlen(texts[i]));
}

/* ---- prefixes and realms ---- */

static void the_prefix_is_demanded_whole_and_with_case(void **state)
{
    (void)state;
    const struct id_format format = format_of(32, "Shop-", "id"), none = plain_format();
    struct id made, read;
    char text[ID_TEXT_MAX + 64];
    assert_ok(id_make(&format, &made));
    assert_ok(parse_text(&format, made.text, &read));
    assert_refused(&format, made.text + 1, strlen(made.text) - 1);
    assert_refused(&format, made.text + 5, strlen(made.text) - 5);
    assert_refused(&none, made.text, strlen(made.text));
    (void)snprintf(text, sizeof text, "shop-%s", made.text + 5);
    assert_refused(&format, text, strlen(text));
    (void)snprintf(text, sizeof text, "Shop-%s", made.text);
    assert_refused(&format, text, strlen(text));
    for (size_t len = 0; len <= 5; len++)
        assert_refused(&format, "Shop-", len);
}

/* T-6: one store, two realms. Neither a realm's end nor the id's start can be shifted. */
static void realms_never_share_a_key(void **state)
{
    (void)state;
    static const char *const realms[] = { "",     "a",     "b",  "A",  "aa", "ab", "a ",
                                          "user", "admin", "\1", "\2", "id", "ID", "__Host-id" };
    enum { REALMS = sizeof realms / sizeof realms[0] };
    struct id ids[REALMS];
    char text[64] = "";
    (void)forge(1, 32, 0x42, text);
    for (size_t i = 0; i < REALMS; i++) {
        const struct id_format format = format_of(32, "", realms[i]);
        assert_ok(parse_text(&format, text, &ids[i]));
        assert_string_equal(ids[i].text, text);
        for (size_t j = 0; j < i; j++)
            assert_false(ses_key_equal(&ids[i].key, &ids[j].key));
    }
}

static void realm_and_id_are_not_just_joined(void **state)
{
    (void)state;
    /* realm "x" + id 01 42.. and realm "x\1" + id 42.. would be the same bytes. */
    char realm[REALM_MAX + 1] = "x";
    char shorter[64] = "", longer[64] = "";
    struct id one, two;
    (void)forge(1, 17, 1, longer);
    (void)forge(1, 16, 1, shorter);
    const struct id_format first = format_of(32, "", realm);
    assert_ok(parse_text(&first, longer, &one));
    const struct id_format second = format_of(32, "", "x\1");
    assert_ok(parse_text(&second, shorter, &two));
    assert_false(ses_key_equal(&one.key, &two.key));
}

/* ---- randomness ---- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void a_hundred_thousand_ids_are_all_different(void **state)
{
    (void)state;
    enum { IDS = 100000, WIDTH = 24 };
    const struct id_format format = format_of(ID_RANDOM_MIN, "", "id");
    char(*texts)[WIDTH] = malloc((size_t)IDS * WIDTH);
    struct id id;
    for (size_t i = 0; i < IDS; i++) {
        assert_ok(id_make(&format, &id));
        assert_true(strlen(id.text) < WIDTH);
        memcpy(texts[i], id.text, strlen(id.text) + 1);
    }
    qsort(texts, IDS, WIDTH, compare_texts);
    for (size_t i = 1; i < IDS; i++)
        assert_string_not_equal(texts[i - 1], texts[i]);
    free(texts);
}

static void every_random_bit_is_seen_as_zero_and_as_one(void **state)
{
    (void)state;
    const struct id_format format = format_of(ID_RANDOM_MAX, "", "id");
    unsigned char ones[1 + ID_RANDOM_MAX] = { 0 }, zeros[1 + ID_RANDOM_MAX] = { 0 };
    for (int round = 0; round < 200; round++) {
        unsigned char bytes[1 + ID_RANDOM_MAX];
        struct id id;
        assert_ok(id_make(&format, &id));
        assert_true(base64url_decode(slice_of_text(id.text), bytes));
        for (size_t i = 1; i < sizeof bytes; i++) {
            ones[i] |= bytes[i];
            zeros[i] |= (unsigned char)~bytes[i];
        }
    }
    for (size_t i = 1; i < sizeof ones; i++) {
        assert_int_equal(ones[i], 0xff);
        assert_int_equal(zeros[i], 0xff);
    }
}

static void assert_no_id(enum mood wanted)
{
    const struct id_format format = plain_format();
    struct id id, before;
    memset(&id, 0x5a, sizeof id);
    memcpy(&before, &id, sizeof id);
    asked = 0;
    mood = wanted;
    assert_code(id_make(&format, &id), SES_ERR_NO_RANDOMNESS);
    assert_memory_equal(&id, &before, sizeof id);
}

/* T-20 */
static void without_randomness_there_is_no_id(void **state)
{
    (void)state;
    assert_no_id(FAILS);
    assert_int_equal(asked, 1);
    assert_no_id(GIVES_NOTHING);
    assert_int_equal(asked, 1);
    assert_no_id(GIVES_TOO_MUCH);
    assert_int_equal(asked, 1);
    assert_no_id(DIES_LATER);
    assert_int_equal(asked, 3);
}

static void assert_all_filled(enum mood wanted)
{
    const struct id_format format = plain_format();
    unsigned char seen[33] = { 0 };
    mood = wanted;
    for (int round = 0; round < 20; round++) {
        unsigned char bytes[33];
        struct id id;
        assert_ok(id_make(&format, &id));
        assert_true(base64url_decode(slice_of_text(id.text), bytes));
        for (size_t i = 0; i < sizeof bytes; i++)
            seen[i] |= bytes[i];
    }
    for (size_t i = 0; i < sizeof seen; i++)
        assert_int_not_equal(seen[i], 0);
}

static void short_and_interrupted_reads_are_continued(void **state)
{
    (void)state;
    assert_all_filled(ONE_BYTE_EACH);
    assert_true(asked >= 20 * 32);
    assert_all_filled(INTERRUPTED);
}

/* GRND_INSECURE and GRND_NONBLOCK would give bytes before the generator is seeded, or none. */
static void the_kernel_is_asked_without_flags(void **state)
{
    (void)state;
    const struct id_format format = plain_format();
    struct id id;
    assert_ok(id_make(&format, &id));
    assert_int_equal(asked, 1);
    assert_int_equal(given_flags, 0);
}

static void parent_and_child_of_a_fork_make_different_ids(void **state)
{
    (void)state;
    enum { IDS = 50 };
    const struct id_format format = plain_format();
    struct id mine, theirs[IDS];
    int ends[2], status;
    assert_ok(id_make(&format, &mine)); /* whatever is kept between calls is there now */
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        bool good = true;
        for (size_t i = 0; i < IDS; i++)
            good = good && id_make(&format, &theirs[0]) == SES_OK &&
                   write(ends[1], &theirs[0], sizeof theirs[0]) == sizeof theirs[0];
        _exit(good ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    for (size_t i = 0; i < IDS; i++) {
        assert_ok(id_make(&format, &mine));
        for (size_t j = 0; j < IDS; j++)
            assert_string_not_equal(mine.text, theirs[j].text);
    }
    close(ends[0]);
    close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_prefix_and_base64url_of_version_and_random_bytes),
        TEST(every_length_reads_back_with_the_same_key_whatever_is_configured_now),
        TEST(the_longest_id_fits),
        TEST(the_key_is_the_documented_hash),
        TEST(the_key_holds_no_byte_run_of_the_id),
        TEST(each_value_has_one_text_only),
        TEST(padding_and_blanks_around_an_id_are_refused),
        TEST(every_byte_at_every_position_gives_another_key_or_nothing),
        TEST(the_corpus_of_degenerate_ids_is_refused),
        TEST(of_all_lengths_only_those_of_16_to_64_random_bytes_are_taken),
        TEST(zeros_are_an_id_like_any_other_and_share_no_key_across_lengths),
        TEST(other_versions_are_refused),
        TEST(paths_and_other_tricks_are_refused),
        TEST(the_prefix_is_demanded_whole_and_with_case),
        TEST(realms_never_share_a_key),
        TEST(realm_and_id_are_not_just_joined),
        TEST(a_hundred_thousand_ids_are_all_different),
        TEST(every_random_bit_is_seen_as_zero_and_as_one),
        TEST(without_randomness_there_is_no_id),
        TEST(short_and_interrupted_reads_are_continued),
        TEST(the_kernel_is_asked_without_flags),
        TEST(parent_and_child_of_a_fork_make_different_ids),
    };
    return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
