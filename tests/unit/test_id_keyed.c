/* SPDX-License-Identifier: MIT */
#include "core/id.h"

#include "base/base64url.h"
#include "base/slice.h"

#include "support/test.h"

/* ---- helpers ---- */

enum { BYTES_MAX = 1 + ID_RANDOM_MAX + ID_CHECK_BYTES };

static const char secret_a[] = "a secret of the fleet, 32 bytes+";
static const char secret_b[] = "another secret, and 32 bytes too";
static const char secret_c[] = "a third one, which nobody uses..";

static struct hmac_key keys_ab[2], keys_ba[2], key_c[1];

static int set_up(void **state)
{
    (void)state;
    hmac_key_init(&keys_ab[0], slice_of_text(secret_a));
    hmac_key_init(&keys_ab[1], slice_of_text(secret_b));
    keys_ba[0] = keys_ab[1];
    keys_ba[1] = keys_ab[0];
    hmac_key_init(&key_c[0], slice_of_text(secret_c));
    return 0;
}

static struct id_format format_of(const struct hmac_key *keys, size_t count)
{
    return (struct id_format){ .purpose = ID_OF_SESSION,
                               .prefix = SLICE("p-"),
                               .realm = SLICE("shop"),
                               .random_bytes = 32,
                               .keys = keys,
                               .key_count = count };
}

/* From memory of exactly that size, so that ASan sees one byte too many. */
static int parse_text(const struct id_format *format, const char *text, struct id *ret)
{
    const size_t len = strlen(text);
    char *tight = malloc(len ? len : 1);
    if (len > 0)
        memcpy(tight, text, len);
    const int r = id_parse(format, (struct ses_slice){ tight, len }, ret);
    free(tight);
    return r;
}

static void assert_refused(const struct id_format *format, const char *text)
{
    struct id id, before;
    memset(&id, 0x5a, sizeof id);
    memcpy(&before, &id, sizeof id);
    assert_code(parse_text(format, text, &id), SES_ERR_NOT_FOUND);
    assert_memory_equal(&id, &before, sizeof id);
}

/* An id of these bytes, whoever could have made them. */
static void write_text(const unsigned char *bytes, size_t len, char out[ID_TEXT_MAX + 1])
{
    memcpy(out, "p-", 2);
    out[2 + BASE64URL_LEN(len)] = '\0';
    base64url_encode(bytes, len, out + 2);
}

static size_t read_bytes(const struct id *id, unsigned char out[BYTES_MAX + 3])
{
    const struct ses_slice body = slice_of_text(id->text + 2);
    assert_true(base64url_decode(body, out));
    return body.len * 3 / 4;
}

/* ---- the form ---- */

static void an_id_carries_the_documented_check_and_the_documented_key(void **state)
{
    (void)state;
    const struct id_format format = format_of(keys_ab, 2);
    unsigned char bytes[BYTES_MAX + 3], digest[SHA256_BYTES];
    struct id id;
    assert_ok(id_make(&format, &id));
    const size_t len = read_bytes(&id, bytes);
    assert_int_equal(len, 1 + 32 + 8);
    assert_int_equal(bytes[0], 2);

    const struct ses_slice vouched[] = { SLICE("\2\4shop"), { bytes + 1, 32 } };
    hmac_sha256(&keys_ab[0], vouched, 2, digest);
    assert_memory_equal(bytes + 33, digest, 8);

    const struct ses_slice hashed[] = { SLICE("\1\4shop"), { bytes, len } };
    sha256(hashed, 2, digest);
    assert_memory_equal(id.key.bytes, digest, SES_KEY_BYTES);
}

static void every_length_reads_back_and_the_longest_fits(void **state)
{
    (void)state;
    char prefix[ID_PREFIX_MAX + 1] = "";
    memset(prefix, 'p', ID_PREFIX_MAX);
    const struct id_format now = {
        ID_OF_SESSION, { prefix, ID_PREFIX_MAX }, SLICE("shop"), 32, keys_ab, 2,
    };
    for (size_t n = ID_RANDOM_MIN; n <= ID_RANDOM_MAX; n++) {
        struct id_format then = now;
        struct id made, read;
        then.random_bytes = n;
        assert_ok(id_make(&then, &made));
        assert_int_equal(strlen(made.text), ID_PREFIX_MAX + BASE64URL_LEN(1 + n + 8));
        assert_true(strlen(made.text) <= ID_TEXT_MAX);
        assert_ok(parse_text(&now, made.text, &read));
        assert_string_equal(read.text, made.text);
        assert_true(ses_key_equal(&read.key, &made.key));
    }
}

static void only_ids_with_a_check_are_vouched_for(void **state)
{
    (void)state;
    const struct id_format keyed = format_of(keys_ab, 1), plain = format_of(NULL, 0);
    assert_true(id_vouched(&keyed));
    assert_false(id_vouched(&plain));
}

/* ---- what is refused ---- */

static void with_a_key_an_id_without_check_is_refused_and_without_the_other_way_round(void **state)
{
    (void)state;
    const struct id_format keyed = format_of(keys_ab, 2), plain = format_of(NULL, 0);
    struct id with, without, read;
    assert_ok(id_make(&keyed, &with));
    assert_ok(id_make(&plain, &without));
    assert_refused(&keyed, without.text);
    assert_refused(&plain, with.text);
    assert_ok(parse_text(&keyed, with.text, &read));
    assert_ok(parse_text(&plain, without.text, &read));
}

static void a_single_changed_bit_anywhere_is_refused(void **state)
{
    (void)state;
    const struct id_format format = format_of(keys_ab, 2);
    unsigned char bytes[BYTES_MAX + 3];
    char text[ID_TEXT_MAX + 1];
    struct id id;
    assert_ok(id_make(&format, &id));
    const size_t len = read_bytes(&id, bytes);
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        write_text(bytes, len, text);
        assert_refused(&format, text);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    write_text(bytes, len, text);
    assert_ok(parse_text(&format, text, &id));
}

/* A byte moved from the random ones to the check, or back, is another id, too. */
static void of_all_lengths_only_the_one_that_was_made_is_taken(void **state)
{
    (void)state;
    const struct id_format format = format_of(keys_ab, 1);
    unsigned char bytes[2 * BYTES_MAX] = { 0 };
    char text[2 + BASE64URL_LEN(2 * BYTES_MAX) + 1] = "p-";
    struct id made, id;
    assert_ok(id_make(&format, &made));
    const size_t right = read_bytes(&made, bytes);
    for (size_t len = 0; len <= 2 * BYTES_MAX; len++) {
        text[2 + BASE64URL_LEN(len)] = '\0';
        base64url_encode(bytes, len, text + 2);
        if (len == right)
            assert_ok(parse_text(&format, text, &id));
        else
            assert_refused(&format, text);
    }
}

static void ids_that_are_made_up_are_refused(void **state)
{
    (void)state;
    const struct id_format keyed = format_of(keys_ab, 2), foreign = format_of(key_c, 1);
    struct id id;
    for (int i = 0; i < 100000; i++) { /* T-1: well-formed, of the right version, not ours */
        assert_ok(id_make(&foreign, &id));
        assert_int_equal(id_parse(&keyed, slice_of_text(id.text), &id), SES_ERR_NOT_FOUND);
    }
}

/* T-6: another realm's id is not even looked up. */
static void the_check_holds_in_one_realm_only(void **state)
{
    (void)state;
    static const char *const realms[] = { "", "s", "shop", "shop\1", "SHOP", "admin" };
    enum { REALMS = sizeof realms / sizeof realms[0] };
    for (size_t i = 0; i < REALMS; i++) {
        struct id_format ours = format_of(keys_ab, 2);
        struct id id;
        ours.realm = slice_of_text(realms[i]);
        assert_ok(id_make(&ours, &id));
        for (size_t j = 0; j < REALMS; j++) {
            struct id_format theirs = ours;
            theirs.realm = slice_of_text(realms[j]);
            if (i == j)
                assert_ok(parse_text(&theirs, id.text, &id));
            else
                assert_refused(&theirs, id.text);
        }
    }
}

/* ---- rotation ---- */

static void keys_rotate_without_logging_anybody_out(void **state)
{
    (void)state;
    const struct id_format only_a = format_of(keys_ab, 1), a_then_b = format_of(keys_ab, 2),
                           b_then_a = format_of(keys_ba, 2), only_b = format_of(keys_ba, 1);
    struct id old, new, read;
    assert_ok(id_make(&only_a, &old));
    assert_ok(parse_text(&a_then_b, old.text, &read)); /* first each machine learns b, */
    assert_ok(parse_text(&b_then_a, old.text, &read)); /* then b makes the ids, */
    assert_true(ses_key_equal(&read.key, &old.key));
    assert_ok(id_make(&b_then_a, &new));
    assert_ok(parse_text(&a_then_b, new.text, &read));
    assert_ok(
        parse_text(&only_b, new.text, &read)); /* and once all of a's ids have ended, a goes */
    assert_refused(&only_b, old.text);
    assert_refused(&only_a, new.text);
}

static void the_first_of_eight_keys_makes_ids_and_each_is_believed(void **state)
{
    (void)state;
    struct hmac_key keys[ID_KEYS_MAX];
    for (size_t i = 0; i < ID_KEYS_MAX; i++)
        hmac_key_init(&keys[i], (struct ses_slice){ secret_a, 10 + i });
    const struct id_format all = format_of(keys, ID_KEYS_MAX), first = format_of(keys, 1);
    for (size_t i = 0; i < ID_KEYS_MAX; i++) {
        const struct id_format one = format_of(&keys[i], 1);
        struct id id, read;
        assert_ok(id_make(&one, &id));
        assert_ok(parse_text(&all, id.text, &read));
        assert_ok(id_make(&all, &id));
        assert_ok(parse_text(&first, id.text, &read));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_carries_the_documented_check_and_the_documented_key),
        cmocka_unit_test(every_length_reads_back_and_the_longest_fits),
        cmocka_unit_test(only_ids_with_a_check_are_vouched_for),
        cmocka_unit_test(with_a_key_an_id_without_check_is_refused_and_without_the_other_way_round),
        cmocka_unit_test(a_single_changed_bit_anywhere_is_refused),
        cmocka_unit_test(of_all_lengths_only_the_one_that_was_made_is_taken),
        cmocka_unit_test(ids_that_are_made_up_are_refused),
        cmocka_unit_test(the_check_holds_in_one_realm_only),
        cmocka_unit_test(keys_rotate_without_logging_anybody_out),
        cmocka_unit_test(the_first_of_eight_keys_makes_ids_and_each_is_believed),
    };
    return cmocka_run_group_tests_name("id_keyed", tests, set_up, NULL);
}
