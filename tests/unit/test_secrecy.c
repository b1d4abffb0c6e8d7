/* SPDX-License-Identifier: MIT */
#include "support/logins.h"
#include "support/shared_provider.h"

#include "core/session.h"

#include "base/base64url.h"
#include "base/slice.h"

#include <stdio.h>

/*
 * A life with everything in it, log-ins, renewals, thefts, tokens, scans and outages; what the
 * store saw of it (T-19), and what was told of it (T-30). Neither may hold a run of the bytes of an
 * id or a token; nor may what is told hold one of a key, of a CSRF token or of a value.
 */

enum { SECRETS_MAX = 1024, SEEN_MAX = 4 << 20 };

struct secrets {
    unsigned char *bytes[SECRETS_MAX];
    size_t lens[SECRETS_MAX];
    size_t count;
};

/* What the store was handed, one after the other. */
struct seen {
    unsigned char *bytes;
    size_t len;
};

struct life {
    struct scene *scene;
    struct secrets ids;  /* that a client holds */
    struct secrets keys; /* under which they are stored, and what else nobody is to be told */
    struct seen seen;
};

static void add_secret(struct secrets *secrets, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    assert_true(secrets->count < SECRETS_MAX);
    secrets->bytes[secrets->count] = malloc(len);
    assert_non_null(secrets->bytes[secrets->count]);
    memcpy(secrets->bytes[secrets->count], bytes, len);
    secrets->lens[secrets->count++] = len;
}

static void drop(struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++)
        free(secrets->bytes[i]);
}

static void witness(void *arg, struct ses_slice what)
{
    struct seen *seen = arg;
    assert_true(seen->len + what.len < SEEN_MAX);
    memcpy(seen->bytes + seen->len, what.data, what.len);
    seen->len += what.len;
    seen->bytes[seen->len++] = 0xff;
}

static void open_life(struct life *life, const char *json)
{
    int r = ses_provider_register(&ses_provider_shared);
    assert_true(r == SES_OK || r == SES_ERR_EXISTS);
    *life = (struct life){ .scene = scene_new("shared", json) };
    life->seen.bytes = malloc(SEEN_MAX);
    assert_non_null(life->seen.bytes);
    shared_provider_witness(witness, &life->seen);
}

static void close_life(struct life *life)
{
    shared_provider_witness(NULL, NULL);
    scene_free(life->scene);
    drop(&life->ids);
    drop(&life->keys);
    free(life->seen.bytes);
}

/* ---- what is secret ---- */

/* An id as text, decoded, and the key that comes of it, as bytes and as they might be printed. */
static void note_id(struct life *life, const struct id_format *format, const char *text)
{
    unsigned char bytes[256];
    char hex[2 * SES_KEY_BYTES + 1], base64[64] = "";
    struct id id;
    if (id_parse(format, slice_of_text(text), &id) != SES_OK)
        return;
    add_secret(&life->ids, text + 2, strlen(text) - 2); /* all begin with the version's "AQ" */
    assert_true(base64url_decode(slice_of_text(text), bytes));
    add_secret(&life->ids, bytes + 1, strlen(text) * 3 / 4 - 1);
    for (size_t i = 0; i < SES_KEY_BYTES; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", id.key.bytes[i]);
    base64url_encode(id.key.bytes, SES_KEY_BYTES, base64);
    add_secret(&life->keys, id.key.bytes, SES_KEY_BYTES);
    add_secret(&life->keys, hex, strlen(hex));
    for (char *c = hex; *c; c++)
        *c = (char)(*c >= 'a' ? *c - 32 : *c);
    add_secret(&life->keys, hex, strlen(hex));
    add_secret(&life->keys, base64, strlen(base64));
}

static void note_guest(struct life *life, const struct guest *guest)
{
    if (guest->session[0] != '\0')
        note_id(life, &life->scene->manager->ids, cookie_value(guest->session));
    if (guest->token[0] != '\0')
        note_id(life, &life->scene->manager->token_ids, cookie_value(guest->token));
}

static void note_csrf(struct life *life, ses_session *session)
{
    struct ses_csrf_token token;
    if (ses_csrf_token(session, &token) != SES_OK)
        return;
    add_secret(&life->keys, token.text, strlen(token.text));
    const struct ses_slice secret = session_header(session)->csrf;
    add_secret(&life->keys, secret.data, secret.len);
    assert_ok(ses_csrf_check(session, token.text));
    token.text[3] = token.text[3] == 'A' ? 'B' : 'A';
    assert_code(ses_csrf_check(session, token.text), SES_ERR_DENIED);
}

/* ---- a life ---- */

/* One request, whatever comes of it. */
static void visit(struct life *life, struct guest *guest)
{
    ses_session *session = NULL;
    const struct ses_headers *headers;
    if (guest_try(life->scene, guest, &session) != SES_OK)
        return;
    note_csrf(life, session);
    int r = ses_set_text(session, "secretkey", "secretvalue");
    if (r == SES_OK)
        r = ses_commit(session, &headers);
    if (r == SES_OK)
        guest_take(guest, headers);
    ses_release(session);
    note_guest(life, guest);
}

static void attack(struct life *life, const struct guest *stolen)
{
    struct scene *scene = life->scene;
    struct guest thief = *stolen;
    atomic_fetch_add(&scene->now_ms, 20 * 1000);
    visit(life, &thief);
    for (unsigned i = 0; i < 70; i++) {
        struct guest guest = { "", "" };
        (void)snprintf(guest.session, sizeof guest.session,
                       "id=AQECAw%08uCQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", i);
        ses_session *session = guest_visit(scene, &guest);
        ses_release(session);
        note_guest(life, &guest);
    }
}

static void live(struct life *life)
{
    struct scene *scene = life->scene;
    struct guest guest = guest_of(scene, "ada", SES_LOGIN_REMEMBER);
    note_guest(life, &guest);
    for (int i = 0; i < 3; i++) {
        const struct guest old = guest;
        atomic_fetch_add(&scene->now_ms, 600 * 1000);
        visit(life, &guest);
        visit(life, &guest);
        if (i == 2)
            attack(life, &old);
    }
    guest = guest_of(scene, "ada", SES_LOGIN_REMEMBER);
    note_guest(life, &guest);
    atomic_fetch_add(&scene->now_ms, 7200 * 1000);
    visit(life, &guest); /* by the token */
    static const int codes[] = { SES_ERR_UNAVAILABLE, SES_ERR_CORRUPT, -55 };
    for (int fault = 0; fault < 3 * FAKE_OPS; fault++) {
        const enum fake_op op = (enum fake_op)(fault % FAKE_OPS);
        fake_provider_fail_call(op, 1, codes[fault / FAKE_OPS], FAKE_AFTER_ACT);
        atomic_fetch_add(&scene->now_ms, 600 * 1000);
        visit(life, &guest);
        fake_provider_fail_call(op, 0, SES_OK, FAKE_BEFORE_ACT);
    }
    ses_session *session = guest_visit(scene, &guest);
    if (is_user(session, "ada"))
        assert_ok(ses_elevate(session, SES_LEVEL_FULL));
    guest_finish(session, &guest);
    note_guest(life, &guest);
    (void)list_of(scene, "ada");
    session = guest_visit(scene, &guest);
    assert_ok(ses_logout(session, 0));
    guest_finish(session, NULL);
    assert_ok(ses_end_user(scene->manager, "ada", NULL));
}

static const char config[] =
    "{\"renewalInterval\":600,\"rememberLifetime\":864000,\"maxSessionsPerUser\":3,"
    "\"whenUserFull\":\"endOldest\",\"bindUserAgent\":\"signal\",\"bindNetwork\":\"signal\"}";

/* ---- and who knows of it ---- */

enum { RUN = 8 }; /* bytes; fewer might be the same by chance */

static bool holds_run(const void *text, size_t len, const unsigned char *secret, size_t secret_len)
{
    for (size_t at = 0; at + RUN <= secret_len; at++) {
        if (memmem(text, len, secret + at, RUN))
            return true;
    }
    return false;
}

static void the_store_never_sees_an_id_nor_a_part_of_one(void **state)
{
    struct life life;
    (void)state;
    open_life(&life, config);
    live(&life);
    assert_true(life.ids.count > 20);
    assert_true(life.seen.len > 10000);
    for (size_t i = 0; i < life.ids.count; i++)
        assert_false(
            holds_run(life.seen.bytes, life.seen.len, life.ids.bytes[i], life.ids.lens[i]));
    /* It does see the keys: the search would find what is there. */
    assert_true(holds_run(life.seen.bytes, life.seen.len, life.keys.bytes[0], life.keys.lens[0]));
    close_life(&life);
}

static void assert_untold(const struct life *life, const void *text, size_t len)
{
    for (size_t i = 0; i < life->ids.count; i++)
        assert_false(holds_run(text, len, life->ids.bytes[i], life->ids.lens[i]));
    for (size_t i = 0; i < life->keys.count; i++)
        assert_false(holds_run(text, len, life->keys.bytes[i], life->keys.lens[i]));
    assert_null(memmem(text, len, "secret", 6));
}

static void nothing_that_is_told_holds_an_id_a_key_a_cookie_or_a_token(void **state)
{
    struct life life;
    (void)state;
    open_life(&life, config);
    live(&life);
    const struct scene *scene = life.scene;
    assert_true(scene_told(life.scene, SES_EVENT_THEFT) >= 1);
    assert_true(scene_told(life.scene, SES_EVENT_SCAN) == 1);
    assert_true(scene_told(life.scene, SES_EVENT_CSRF) > 3);
    assert_true(scene_told(life.scene, SES_EVENT_STORE_ERROR) > 3);
    assert_true(scene_told(life.scene, SES_EVENT_RENEWED) >= 3);
    for (size_t i = 0; i < scene->told_count; i++) {
        const struct told *told = &scene->told[i];
        assert_untold(&life, told->peer, strlen(told->peer));
        assert_untold(&life, told->user, strlen(told->user));
        for (size_t k = 0; told->event.fingerprint != 0 && k < life.keys.count; k++)
            assert_null(memmem(life.keys.bytes[k], life.keys.lens[k], &told->event.fingerprint,
                               sizeof told->event.fingerprint));
    }
    assert_true(scene->line_count > 0);
    for (size_t i = 0; i < scene->line_count; i++)
        assert_untold(&life, scene->lines[i], strlen(scene->lines[i]));
    close_life(&life);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_never_sees_an_id_nor_a_part_of_one),
        cmocka_unit_test(nothing_that_is_told_holds_an_id_a_key_a_cookie_or_a_token),
    };
    return cmocka_run_group_tests_name("secrecy", tests, NULL, NULL);
}
