/* SPDX-License-Identifier: MIT */
#include "base/base64url.h"
#include "core/manager.h"
#include "core/seal.h"

#include "support/jar.h"

#include <stdio.h>
#include <stdlib.h>

/* Pieces of genuine sealed cookies, put together anew (T-15, T-16), and their contents without a
 * seal (T-17): none opens, and each is refused in the one way, as malformed. */

#define KEY_1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_2 "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="

enum { TOKEN_BYTES_MAX = 1024, NONCE_AT = 5, TEXT_AT = 29, TAG_BYTES = 16 };

struct token {
    size_t len;
    unsigned char bytes[TOKEN_BYTES_MAX];
};

static struct scene *scene_of(void **state, const char *json)
{
    scene_free(*state);
    return *state = scene_new("cookie", json);
}

static struct token token_of(const char *text)
{
    struct token token = { .len = strlen(text) * 3 / 4 };
    assert_true(token.len < TOKEN_BYTES_MAX);
    assert_true(base64url_decode((struct ses_slice){ text, strlen(text) }, token.bytes));
    return token;
}

/* Of a visitor whose session holds @p text. */
static struct jar jar_of(ses_manager *manager, const char *text)
{
    struct jar jar = { 0 };
    ses_session *session = jar_visit(manager, &jar);
    assert_ok(ses_set_text(session, "text", text));
    (void)jar_finish(session, &jar);
    return jar;
}

static struct token token_with(ses_manager *manager, const char *text)
{
    struct jar jar = jar_of(manager, text);
    assert_int_equal(jar.count, 1);
    const struct token token = token_of(jar.values[0]);
    jar_free(&jar);
    return token;
}

/* ---- how a text is taken ---- */

static bool is_taken(struct scene *scene, const char *value)
{
    const struct ses_cookie cookie = { .name = "__Host-id", .value = value, .max_age_s = -1 };
    struct jar jar = { 0 };
    jar_keep(&jar, &cookie);
    const bool taken = jar_known(scene->manager, &jar);
    jar_free(&jar);
    return taken;
}

static bool opens(struct scene *scene, const struct token *token)
{
    char text[BASE64URL_LEN(TOKEN_BYTES_MAX) + 1];
    base64url_encode(token->bytes, token->len, text);
    text[BASE64URL_LEN(token->len)] = '\0';
    return is_taken(scene, text);
}

static bool same(const struct token *a, const struct token *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Each of @p tries was refused as malformed, and none in another way. */
static void assert_one_way(struct scene *scene, size_t tries)
{
    assert_true(tries > 0);
    assert_int_equal(scene_stats(scene).malformed, tries);
    assert_int_equal(scene_told(scene, SES_EVENT_REJECTED),
                     scene_rejected(scene, SES_REASON_MALFORMED));
    assert_int_equal(scene_told(scene, SES_EVENT_STORE_ERROR), 0);
}

/* ---- splices ---- */

/* The first bytes of one, and the last ones of the other. 0: that is one of the two. */
static size_t try_splice(struct scene *scene, const struct token *head, size_t head_len,
                         const struct token *tail, size_t tail_at)
{
    struct token token = { .len = head_len + tail->len - tail_at };
    memcpy(token.bytes, head->bytes, head_len);
    memcpy(token.bytes + head_len, tail->bytes + tail_at, tail->len - tail_at);
    const bool genuine = same(&token, head) || same(&token, tail);
    assert_true(opens(scene, &token) == genuine);
    return !genuine;
}

static size_t alike_at_start(const struct token *a, const struct token *b)
{
    size_t n = 0;
    while (n < a->len && a->bytes[n] == b->bytes[n])
        n++;
    return n;
}

static size_t alike_at_end(const struct token *a, const struct token *b)
{
    size_t n = 0;
    while (n < a->len && a->bytes[a->len - 1 - n] == b->bytes[b->len - 1 - n])
        n++;
    return n;
}

static void two_tokens_spliced_at_any_point_are_refused(void **state)
{
    struct scene *scene = scene_of(state, "{\"sealKeys\":\"" KEY_1 "\"}");
    const struct token one = token_with(scene->manager, "one"),
                       two = token_with(scene->manager, "two");
    assert_int_equal(one.len, two.len);
    size_t tries = 0;
    scene_forget(scene);
    for (size_t at = 0; at <= one.len; at++) {
        tries += try_splice(scene, &one, at, &two, at);
        tries += try_splice(scene, &two, at, &one, at);
    }
    /* What they begin with alike, the head at least, and end with alike can be of either. */
    assert_true(alike_at_start(&one, &two) >= NONCE_AT);
    const size_t alike = alike_at_start(&one, &two) + alike_at_end(&one, &two);
    assert_int_equal(tries, 2 * (one.len - alike - 1));
    assert_one_way(scene, tries);
}

/* Also where it makes another length: repeated, left out, and appended whole. */
static void any_start_with_any_end_of_another_is_refused(void **state)
{
    struct scene *scene = scene_of(state, "{\"sealKeys\":\"" KEY_1 "\"}");
    const struct token one = token_with(scene->manager, "one"),
                       two = token_with(scene->manager, "a longer one, of another length");
    size_t tries = 0;
    scene_forget(scene);
    for (size_t head = 0; head <= one.len; head++) {
        for (size_t tail = 0; tail <= two.len; tail++)
            tries += try_splice(scene, &one, head, &two, tail);
    }
    assert_one_way(scene, tries);
}

/* Between characters as well, where a byte is of both. */
static void two_texts_spliced_at_any_character_are_refused(void **state)
{
    struct scene *scene = scene_of(state, "{\"sealKeys\":\"" KEY_1 "\"}");
    struct jar one = jar_of(scene->manager, "one"), two = jar_of(scene->manager, "two");
    const char *head = one.values[0], *tail = two.values[0];
    size_t tries = 0;
    scene_forget(scene);
    for (size_t at = 1; at < strlen(head); at++) {
        char text[BASE64URL_LEN(TOKEN_BYTES_MAX) + 1];
        (void)snprintf(text, sizeof text, "%.*s%s", (int)at, head, tail + at);
        const bool genuine = strcmp(text, head) == 0 || strcmp(text, tail) == 0;
        assert_true(is_taken(scene, text) == genuine);
        tries += !genuine;
    }
    assert_one_way(scene, tries);
    jar_free(&one);
    jar_free(&two);
}

/* ---- without a seal ---- */

/* What is inside a token, which nobody without the key can know; @p arena has it. */
static struct ses_slice content_of(struct scene *scene, const struct token *token,
                                   struct arena *arena)
{
    char text[BASE64URL_LEN(TOKEN_BYTES_MAX) + 1];
    struct ses_slice content;
    bool old;
    base64url_encode(token->bytes, token->len, text);
    const struct ses_slice slice = { text, BASE64URL_LEN(token->len) };
    assert_ok(unseal(scene->manager->sealer, slice, arena, &content, &old));
    return content;
}

static struct token plain_token(const struct token *genuine, size_t head, struct ses_slice content,
                                size_t zeros)
{
    struct token plain = { .len = head + content.len + zeros };
    memcpy(plain.bytes, genuine->bytes, head);
    memcpy(plain.bytes + head, content.data, content.len);
    return plain;
}

/* As it is, behind any version, behind the name of a key, and as a cipher that does nothing would
 * leave it: nonce, content, no tag or one of zeros (S-17, S-42). */
static void a_genuine_content_that_is_not_encrypted_is_refused(void **state)
{
    struct scene *scene = scene_of(state, "{\"sealKeys\":\"" KEY_1 "\"}");
    const struct token genuine = token_with(scene->manager, "one");
    struct arena arena;
    size_t tries = 0;
    arena_init(&arena, NULL, 0);
    const struct ses_slice content = content_of(scene, &genuine, &arena);
    scene_forget(scene);
    static const size_t heads[] = { 0, 1, NONCE_AT, TEXT_AT };
    for (size_t i = 0; i < 2 * sizeof heads / sizeof heads[0]; i++) {
        struct token plain =
            plain_token(&genuine, heads[i / 2], content, i % 2 == 0 ? 0 : TAG_BYTES);
        for (unsigned version = 0; version < 256; version++, tries++) {
            plain.bytes[0] = (unsigned char)version;
            assert_false(opens(scene, &plain));
        }
    }
    assert_one_way(scene, tries);
    arena_free(&arena);
}

static void a_genuine_token_of_any_other_version_is_refused(void **state)
{
    struct scene *scene = scene_of(state, "{\"sealKeys\":\"" KEY_1 "\"}");
    struct token token = token_with(scene->manager, "one");
    const unsigned char version = token.bytes[0];
    scene_forget(scene);
    for (unsigned other = 0; other < 256; other++) {
        token.bytes[0] = (unsigned char)other;
        assert_true(opens(scene, &token) == (other == version));
    }
    assert_one_way(scene, 255);
}

/* ---- fields ---- */

/* Field 0 is the name of the key, then nonce, ciphertext, tag. */
static size_t field_at(const struct token *token, size_t field)
{
    const size_t starts[] = { 1, NONCE_AT, TEXT_AT, token->len - TAG_BYTES, token->len };
    return starts[field];
}

/* Bit n of @p choice: field n is of the second. */
static struct token mix(const struct token tokens[2], unsigned choice)
{
    struct token mixed = tokens[0];
    for (size_t field = 0; field < 4; field++) {
        const struct token *from = &tokens[choice >> field & 1];
        const size_t at = field_at(from, field);
        memcpy(mixed.bytes + at, from->bytes + at, field_at(from, field + 1) - at);
    }
    return mixed;
}

/* Both keys are ours, so a name that is exchanged leads to a key that is there. */
static void key_nonce_ciphertext_and_tag_of_two_tokens_do_not_mix(void **state)
{
    struct scene *other = scene_new("cookie", "{\"sealKeys\":\"" KEY_2 "\"}");
    struct scene *scene = scene_of(state, "{\"sealKeys\":[\"" KEY_1 "\",\"" KEY_2 "\"]}");
    const struct token tokens[] = { token_with(scene->manager, "one"),
                                    token_with(other->manager, "two") };
    assert_int_equal(tokens[0].len, tokens[1].len);
    assert_memory_not_equal(tokens[0].bytes, tokens[1].bytes, NONCE_AT);
    scene_forget(scene);
    for (unsigned choice = 0; choice < 16; choice++) {
        const struct token mixed = mix(tokens, choice);
        assert_true(opens(scene, &mixed) == (choice == 0 || choice == 15));
    }
    assert_one_way(scene, 14);
    scene_free(other);
}

/* ---- parts ---- */

enum { PARTS = 3 };

static struct jar big_jar(struct scene *scene, char fill)
{
    char text[7000];
    memset(text, fill, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct jar jar = jar_of(scene->manager, text);
    assert_int_equal(jar.count, PARTS);
    return jar;
}

/* A browser that has part n of a session from @p values[n], under the name of part n. */
static bool takes_parts(struct scene *scene, const struct jar *names, char *const values[PARTS])
{
    struct jar mixed = *names;
    for (size_t part = 0; part < PARTS; part++)
        mixed.values[part] = values[part];
    return jar_known(scene->manager, &mixed);
}

static void parts_of_two_sessions_do_not_mix(void **state)
{
    struct scene *scene = scene_of(state, "{\"sealKeys\":\"" KEY_1 "\",\"sealChunks\":3}");
    struct jar jars[] = { big_jar(scene, 'a'), big_jar(scene, 'b') };
    scene_forget(scene);
    for (unsigned choice = 0; choice < 8; choice++) {
        char *const values[] = { jars[choice & 1].values[0], jars[choice >> 1 & 1].values[1],
                                 jars[choice >> 2 & 1].values[2] };
        assert_true(takes_parts(scene, &jars[0], values) == (choice == 0 || choice == 7));
    }
    assert_one_way(scene, 6);
    jar_free(&jars[0]);
    jar_free(&jars[1]);
}

static void parts_in_another_order_or_number_are_refused(void **state)
{
    struct scene *scene = scene_of(state, "{\"sealKeys\":\"" KEY_1 "\",\"sealChunks\":3}");
    struct jar jar = big_jar(scene, 'a');
    char *const swapped[] = { jar.values[0], jar.values[2], jar.values[1] };
    char *const twice[] = { jar.values[0], jar.values[1], jar.values[1] };
    scene_forget(scene);
    assert_false(takes_parts(scene, &jar, swapped));
    assert_false(takes_parts(scene, &jar, twice));
    static const char counts[] = "012456789";
    for (const char *count = counts; *count; count++) {
        jar.values[0][0] = *count;
        assert_false(jar_known(scene->manager, &jar));
    }
    assert_one_way(scene, 2 + sizeof counts - 1);
    jar.values[0][0] = '3';
    assert_true(jar_known(scene->manager, &jar));
    jar_free(&jar);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(two_tokens_spliced_at_any_point_are_refused),
        CASE(any_start_with_any_end_of_another_is_refused),
        CASE(two_texts_spliced_at_any_character_are_refused),
        CASE(a_genuine_content_that_is_not_encrypted_is_refused),
        CASE(a_genuine_token_of_any_other_version_is_refused),
        CASE(key_nonce_ciphertext_and_tag_of_two_tokens_do_not_mix),
        CASE(parts_of_two_sessions_do_not_mix),
        CASE(parts_in_another_order_or_number_are_refused),
    };
    return cmocka_run_group_tests_name("sealed_forged", tests, NULL, NULL);
}
