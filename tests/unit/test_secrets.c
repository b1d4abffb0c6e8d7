/* SPDX-License-Identifier: MIT */
#include "support/logins.h"
#include "support/shared_provider.h"

#include "base/base64url.h"
#include "base/slice.h"

/* What never reaches the store, a log line or an error text, and what no cache may keep: over the
 * whole life of a log-in (T-19, T-29, T-30). */

#define LOGINS "\"renewalInterval\":600,\"idleTimeout\":7200,\"rememberLifetime\":864000"
#define KEY    "q7Zt0mVY3hXw8RkC5nJb2sLf6gDp9aUe4iOyT1vN"
#define ID_KEY "\"idKey\":\"" KEY "\","

/* ---- what must not be seen ---- */

/* Of a fingerprint's 16 digits, 8 stand in a hundred keys by chance, once in a hundred runs. */
enum { RUN = 8, PRINT_RUN = 12, SECRETS_MAX = 256, SECRET_MAX = 256 };

struct secrets {
    char texts[SECRETS_MAX][SECRET_MAX];
    size_t count;
};

static void add_secret(struct secrets *secrets, const char *text)
{
    for (size_t i = 0; i < secrets->count; i++) {
        if (strcmp(secrets->texts[i], text) == 0)
            return;
    }
    assert_true(secrets->count < SECRETS_MAX && strlen(text) < SECRET_MAX);
    (void)snprintf(secrets->texts[secrets->count++], SECRET_MAX, "%s", text);
}

static void add_guest(struct secrets *secrets, const struct guest *guest)
{
    if (guest->session[0] != '\0')
        add_secret(secrets, cookie_value(guest->session));
    if (guest->token[0] != '\0')
        add_secret(secrets, cookie_value(guest->token));
}

/* ---- T-19: the store got the raw id ---- */

struct heard {
    unsigned char bytes[1 << 20];
    size_t len;
};

static void hear(void *arg, struct ses_slice bytes)
{
    struct heard *heard = arg;
    assert_true(heard->len + bytes.len <= sizeof heard->bytes);
    if (bytes.len > 0)
        memcpy(heard->bytes + heard->len, bytes.data, bytes.len);
    heard->len += bytes.len;
}

static bool is_heard(const struct heard *heard, const void *bytes, size_t len)
{
    return memmem(heard->bytes, heard->len, bytes, len) != NULL;
}

static void assert_unheard(const struct heard *heard, const char *id)
{
    unsigned char bytes[SECRET_MAX];
    const struct ses_slice text = slice_of_text(id);
    assert_true(base64url_decode(text, bytes));
    for (size_t at = 0; at + RUN <= text.len; at++)
        assert_false(is_heard(heard, id + at, RUN));
    for (size_t at = 1; at + RUN <= text.len * 3 / 4; at++)
        assert_false(is_heard(heard, bytes + at, RUN));
}

static void step(struct scene *scene, struct guest *guest, struct secrets *secrets)
{
    ses_session *session = guest_visit(scene, guest);
    assert_ok(ses_increment(session, "n", 1));
    guest_finish(session, guest);
    add_guest(secrets, guest);
}

static void pass(struct scene *scene, int64_t ms)
{
    atomic_fetch_add(&scene->now_ms, ms);
}

static void be_renewed(struct scene *scene, struct guest *guest, struct secrets *secrets)
{
    pass(scene, 600 * 1000);
    step(scene, guest, secrets);
    step(scene, guest, secrets); /* the first use */
}

/* Ids of every kind, that are made, used, sent by strangers and ended in every way. */
static void live_once(struct scene *scene, struct secrets *secrets)
{
    struct guest guest = guest_anonymous(scene, 1), other;
    add_guest(secrets, &guest);
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, SES_LOGIN_REMEMBER | SES_LOGIN_KEEP_DATA));
    guest_finish(session, &guest);
    add_guest(secrets, &guest);
    const struct guest stolen = guest;
    be_renewed(scene, &guest, secrets);
    session = guest_visit(scene, &guest);
    assert_ok(ses_regenerate(session));
    assert_ok(ses_elevate(session, SES_LEVEL_STRONG));
    guest_finish(session, &guest);
    add_guest(secrets, &guest);

    other = guest;
    other.session[0] = '\0'; /* its session has expired */
    step(scene, &other, secrets);
    be_renewed(scene, &other, secrets);
    pass(scene, 20 * 1000);
    (void)guest_is(scene, &stolen, NULL);
    guest = guest_of(scene, "ada", SES_LOGIN_REMEMBER);
    add_guest(secrets, &guest);
    assert_ok(ses_exists(scene->manager, cookie_value(guest.session)));
    assert_ok(ses_destroy_id(scene->manager, cookie_value(guest.session)));
    assert_ok(ses_end_user(scene->manager, "ada", NULL));
    guest = guest_of(scene, "ada", SES_LOGIN_REMEMBER);
    add_guest(secrets, &guest);
    session = guest_visit(scene, &guest);
    assert_ok(ses_logout(session, 0));
    guest_finish(session, &guest);
}

static void no_run_of_eight_bytes_of_an_id_or_token_reaches_the_store(void **state)
{
    static const char *const configs[] = { "{" LOGINS "}", "{" ID_KEY LOGINS "}" };
    static struct heard heard;
    static struct secrets secrets;
    (void)state;
    shared_provider_register();
    for (size_t i = 0; i < 2; i++) {
        heard.len = secrets.count = 0;
        shared_provider_listen(hear, &heard);
        struct scene *scene = scene_new("shared", configs[i]);
        live_once(scene, &secrets);
        struct guest stranger = { "", "" }; /* an id that nobody has: of another manager */
        (void)snprintf(stranger.session, COOKIE_TEXT_MAX, "id=%s", secrets.texts[0]);
        (void)guest_is(scene, &stranger, NULL);
        const struct guest last = guest_of(scene, "bob", 0);
        ses_session *session = guest_visit(scene, &last);
        const struct ses_key key = key_of_session(session);
        ses_release(session);
        assert_true(is_heard(&heard, key.bytes, RUN)); /* it does listen */
        scene_free(scene);
        shared_provider_listen(NULL, NULL);
        assert_true(secrets.count >= 10);
        for (size_t s = 0; s < secrets.count; s++)
            assert_unheard(&heard, secrets.texts[s]);
    }
}

/* ---- T-29: caches kept cookies ---- */

static ses_session *first_value(struct scene *scene)
{
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    return session;
}

static ses_session *first_csrf_token(struct scene *scene)
{
    struct ses_csrf_token token;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_csrf_token(session, &token));
    return session;
}

static ses_session *log_in_and_remember(struct scene *scene)
{
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, SES_LOGIN_REMEMBER));
    return session;
}

static ses_session *visit_of_ada(struct scene *scene, unsigned flags)
{
    const struct guest guest = guest_of(scene, "ada", flags);
    return guest_visit(scene, &guest);
}

static ses_session *step_up(struct scene *scene)
{
    ses_session *session = visit_of_ada(scene, 0);
    assert_ok(ses_elevate(session, SES_LEVEL_FULL));
    return session;
}

static ses_session *regenerate(struct scene *scene)
{
    ses_session *session = visit_of_ada(scene, 0);
    assert_ok(ses_regenerate(session));
    return session;
}

static ses_session *log_out(struct scene *scene)
{
    ses_session *session = visit_of_ada(scene, SES_LOGIN_REMEMBER);
    assert_ok(ses_logout(session, SES_LOGOUT_CLEAR_SITE_DATA));
    return session;
}

/* Of a token that leads nowhere any more, only that cookie goes. */
static ses_session *log_out_of_nobody(struct scene *scene)
{
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_logout(session, 0));
    return session;
}

static ses_session *destroy(struct scene *scene)
{
    ses_session *session = visit_of_ada(scene, 0);
    assert_ok(ses_destroy(session));
    return session;
}

static ses_session *renewal(struct scene *scene)
{
    const struct guest guest = guest_of(scene, "ada", 0);
    pass(scene, 600 * 1000);
    return guest_visit(scene, &guest);
}

static ses_session *repeated_renewal(struct scene *scene)
{
    const struct guest guest = guest_of(scene, "ada", 0);
    pass(scene, 600 * 1000);
    guest_finish(guest_visit(scene, &guest), NULL); /* whose response is lost */
    return guest_visit(scene, &guest);
}

static ses_session *redeemed_token(struct scene *scene)
{
    struct guest guest = guest_of(scene, "ada", SES_LOGIN_REMEMBER);
    guest.session[0] = '\0';
    return guest_visit(scene, &guest);
}

static ses_session *sliding_cookie(struct scene *scene)
{
    const struct guest guest = guest_of(scene, "ada", 0);
    pass(scene, 300 * 1000);
    return guest_visit(scene, &guest);
}

static ses_session *eviction(struct scene *scene)
{
    const struct guest guest = guest_of(scene, "ada", 0);
    char cookies[2 * COOKIE_TEXT_MAX];
    (void)snprintf(cookies, sizeof cookies, "id=planted; %s", guest.session);
    return scene_start(scene, cookies);
}

static ses_session *log_out_in_an_outage(struct scene *scene)
{
    const struct guest guest = guest_of(scene, "ada", 0);
    const struct ses_slice field = slice_of_text(guest.session);
    struct ses_request request = {
        .cookies = &field,
        .cookie_count = 1,
        .flags = SES_REQUEST_LOGOUT,
    };
    ses_session *session = NULL;
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_ok(scene_try(scene, &request, &session));
    assert_ok(ses_logout(session, 0));
    return session;
}

static void assert_not_cached(const struct ses_headers *headers, const char *what)
{
    const char *cache = header_value(headers, "Cache-Control", 0);
    const char *vary = header_value(headers, "Vary", 0);
    if (header_count(headers, "Set-Cookie") == 0)
        fail_msg("%s: sets no cookie", what);
    if (!cache || !vary || strcmp(cache, "no-store") != 0 || strcmp(vary, "Cookie") != 0)
        fail_msg("%s: Cache-Control: %s, Vary: %s", what, cache ? cache : "", vary ? vary : "");
    assert_int_equal(header_count(headers, "Cache-Control"), 1);
}

static void every_response_that_sets_or_removes_a_cookie_is_kept_from_caches(void **state)
{
    static const struct {
        const char *name;
        ses_session *(*act)(struct scene *scene);
    } kinds[] = {
        { "first value", first_value },
        { "first CSRF token", first_csrf_token },
        { "log-in", log_in_and_remember },
        { "step-up", step_up },
        { "regenerate", regenerate },
        { "log-out", log_out },
        { "log-out of nobody", log_out_of_nobody },
        { "destroy", destroy },
        { "renewal", renewal },
        { "repeated renewal", repeated_renewal },
        { "redeemed token", redeemed_token },
        { "sliding cookie", sliding_cookie },
        { "eviction", eviction },
        { "log-out in an outage", log_out_in_an_outage },
    };
    static const char *const policies[] = { "no-store", "private", "none" };
    (void)state;
    for (size_t p = 0; p < 3; p++) {
        char json[512];
        (void)snprintf(json, sizeof json,
                       "{" LOGINS ",\"secure\":false,\"cookieLifeTime\":86400,"
                       "\"evictPaths\":[\"/app\"],\"cacheControl\":\"%s\"}",
                       policies[p]);
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
            struct scene *scene = scene_new("fake", json);
            ses_session *session = kinds[i].act(scene);
            assert_not_cached(guest_commit(session, NULL), kinds[i].name);
            ses_release(session);
            scene_free(scene);
        }
    }
}

/* ---- T-30: ids in logs ---- */

static bool is_in(const char *line, const char *secret, size_t len)
{
    char run[PRINT_RUN + 1] = "";
    for (size_t at = 0; at + len <= strlen(secret); at++) {
        memcpy(run, secret + at, len);
        if (strstr(line, run))
            return true;
    }
    return false;
}

static void assert_no_run_in(const struct secrets *secrets, const char *line, size_t len)
{
    for (size_t s = 0; s < secrets->count; s++) {
        if (is_in(line, secrets->texts[s], len))
            fail_msg("told: %s", line);
    }
}

static void assert_untold_in(const struct secrets *secrets, const char *line)
{
    assert_no_run_in(secrets, line, RUN);
}

static void add_hex(struct secrets *secrets, const unsigned char *bytes, size_t len)
{
    char lower[2 * SES_KEY_BYTES + 1], upper[sizeof lower], base64[sizeof lower] = "";
    assert_true(len <= SES_KEY_BYTES);
    for (size_t i = 0; i < len; i++) {
        (void)snprintf(lower + 2 * i, 3, "%02x", bytes[i]);
        (void)snprintf(upper + 2 * i, 3, "%02X", bytes[i]);
    }
    base64url_encode(bytes, len, base64);
    add_secret(secrets, lower);
    add_secret(secrets, upper);
    add_secret(secrets, base64);
}

static void add_session(struct secrets *secrets, ses_session *session)
{
    struct ses_csrf_token token;
    unsigned char bytes[64];
    const struct ses_key key = key_of_session(session);
    add_secret(secrets, ses_session_id(session));
    add_hex(secrets, key.bytes, sizeof key.bytes);
    if (ses_csrf_token(session, &token) != SES_OK ||
        !base64url_decode(slice_of_text(token.text), bytes))
        return;
    add_secret(secrets, token.text);
    for (size_t i = 0; i < 16; i++)
        bytes[i] ^= bytes[16 + i];
    add_hex(secrets, bytes, 16);
}

static void whatever(int code)
{
    (void)code;
}

static int see_info(void *arg, const struct ses_info *info)
{
    whatever(ses_end(arg, "ada", info->handle));
    return 0;
}

static int same(void *arg, const struct ses_value *current, struct ses_value *ret_next)
{
    (void)arg;
    *ret_next = *current;
    return 0;
}

static int see_value(void *arg, const char *key, const struct ses_value *value)
{
    (void)arg;
    (void)key;
    (void)value;
    return 0;
}

static void tell_line(void *arg, const char *line)
{
    assert_untold_in(arg, line);
}

static void change_values(ses_session *session)
{
    struct ses_value value;
    const char *text;
    whatever(ses_set_text(session, "secretkey", "secretvalue"));
    whatever(ses_set_text(session, "\xff", "secretvalue"));
    whatever(ses_set_cbor(session, "secretcbor", SLICE("\x9fsecretvalue")));
    whatever(ses_increment(session, "secretkey", 1));
    whatever(ses_get_text(session, "secretnone", &text));
    whatever(ses_update(session, "secretkey", same, NULL));
    whatever(ses_take(session, "secretkey", &value));
    whatever(ses_set_lifetime(session, 600, 6000));
    whatever(ses_each(session, see_value, NULL));
    whatever(ses_delete(session, "secretkey"));
}

/* A request that does @p what, as far as it comes. */
enum what { LOOK, CHANGE, LOG_IN, STEP_UP, CHANGE_ID, LOG_OUT, ANOTHER, DESTROY, WHATS };

static void act(ses_session *session, enum what what)
{
    if (what == CHANGE)
        change_values(session);
    if (what == LOG_IN || what == ANOTHER)
        whatever(ses_login(session, "ada", SES_LEVEL_FULL, SES_LOGIN_REMEMBER));
    if (what == STEP_UP)
        whatever(ses_elevate(session, SES_LEVEL_STRONG));
    if (what == CHANGE_ID)
        whatever(ses_regenerate(session));
    if (what == LOG_OUT)
        whatever(ses_logout(session, 0));
    if (what == DESTROY)
        whatever(ses_destroy(session));
}

static void request(struct scene *scene, struct guest *guest, struct secrets *secrets,
                    enum what what)
{
    ses_session *session;
    const struct ses_headers *headers = NULL;
    add_guest(secrets, guest);
    if (guest_try(scene, guest, &session) < 0)
        return;
    whatever(ses_csrf_check(session, secrets->texts[secrets->count - 1]));
    whatever(ses_require(session, SES_LEVEL_STRONG, 1));
    act(session, what);
    add_session(secrets, session);
    if (ses_commit(session, &headers) == SES_OK)
        guest_take(guest, headers);
    whatever(ses_reload(session));
    whatever(ses_commit(session, NULL));
    ses_release(session);
    add_guest(secrets, guest);
    pass(scene, 61 * 1000);
}

/* From outside of any request, with ids good and bad. */
static void administer(struct scene *scene, const char *id)
{
    ses_session *session;
    whatever(ses_exists(scene->manager, id));
    if (ses_open(scene->manager, id, &session) == SES_OK)
        ses_release(session);
    whatever(ses_destroy_id(scene->manager, id));
    whatever(ses_end(scene->manager, "ada", id));
    whatever(ses_list(scene->manager, id, see_info, scene->manager));
    whatever(ses_manager_ping(scene->manager));
}

/* Every public call, on whatever the store answers. */
static void live(struct scene *scene, struct secrets *secrets)
{
    struct guest guest = { "", "" };
    uint64_t count;
    for (int what = LOOK; what < WHATS; what++)
        request(scene, &guest, secrets, (enum what)what);
    request(scene, &guest, secrets, LOG_IN);
    const struct guest former = guest;
    pass(scene, 600 * 1000);
    request(scene, &guest, secrets, LOOK);
    request(scene, &guest, secrets, CHANGE);
    struct guest bare = { "", "" }, late = former;
    (void)snprintf(bare.token, sizeof bare.token, "%s", guest.token);
    request(scene, &bare, secrets, LOOK);
    request(scene, &late, secrets, LOOK);
    whatever(ses_list(scene->manager, "ada", see_info, scene->manager));
    whatever(ses_list(scene->manager, NULL, see_info, scene->manager));
    for (size_t i = 0; i < secrets->count && i < 40; i += 3)
        administer(scene, secrets->texts[i]);
    whatever(ses_end_user(scene->manager, "ada", NULL));
    whatever(ses_end_user(scene->manager, NULL, NULL));
    whatever(ses_count(scene->manager, &count));
    whatever(ses_gc(scene->manager, 0, NULL));
    assert_ok(ses_manager_policy(scene->manager, "asvs-l3", tell_line, secrets));
}

static void assert_nothing_told(struct scene *scene, const struct secrets *secrets)
{
    for (size_t i = 0; i < scene->line_count; i++) {
        assert_untold_in(secrets, scene->lines[i]);
        assert_null(strstr(scene->lines[i], "ada"));
    }
    for (size_t i = 0; i < scene->told_count; i++) {
        const struct told *told = &scene->told[i];
        char print[32];
        (void)snprintf(print, sizeof print, "%016llx", (unsigned long long)told->event.fingerprint);
        assert_untold_in(secrets, told->peer);
        assert_no_run_in(secrets, print, PRINT_RUN);
        assert_true(told->user[0] == '\0' || strcmp(told->user, "ada") == 0);
    }
}

static void no_secret_is_told_by_any_call_whatever_fails(void **state)
{
    static const int codes[] = { SES_ERR_UNAVAILABLE, SES_ERR_CORRUPT, -55, 1 };
    static struct secrets secrets;
    size_t lines = 0, events = 0;
    (void)state;
    for (int op = FAKE_LOAD; op <= FAKE_PING; op++) {
        for (unsigned nth = 1; nth <= 32; nth++) {
            struct scene *scene = scene_new("fake", "{" ID_KEY LOGINS "}");
            secrets.count = 0;
            add_secret(&secrets, "secretkey");
            add_secret(&secrets, "secretvalue");
            add_secret(&secrets, KEY);
            fake_provider_fail_call((enum fake_op)op, nth, codes[nth % 4],
                                    nth / 4 % 2 ? FAKE_AFTER_ACT : FAKE_BEFORE_ACT);
            live(scene, &secrets);
            assert_nothing_told(scene, &secrets);
            lines += scene->line_count;
            events += scene->told_count;
            scene_free(scene);
        }
    }
    assert_true(lines > 50 && events > 1000);
}

static void no_error_text_repeats_a_secret(void **state)
{
    static const char *const configs[] = {
        "{\"idKey\":\"secretshort\"}",
        "{\"idKey\":[\"secretshort\",7]}",
        "{" ID_KEY "\"secretkeyname\":}",
        "{\"idKey\":{\"secretvalue\":1}}",
        "{\"providerConfig\":\"redis://secretuser:secretvalue@host\"} x",
        "\"secretvalue\"",
    };
    struct secrets secrets = { .count = 0 };
    (void)state;
    add_secret(&secrets, "secretshort");
    add_secret(&secrets, "secretvalue");
    add_secret(&secrets, KEY);
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        struct ses_error error;
        assert_null(ses_manager_new("memory", configs[i], NULL, &error));
        assert_untold_in(&secrets, error.message);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_run_of_eight_bytes_of_an_id_or_token_reaches_the_store),
        cmocka_unit_test(every_response_that_sets_or_removes_a_cookie_is_kept_from_caches),
        cmocka_unit_test(no_secret_is_told_by_any_call_whatever_fails),
        cmocka_unit_test(no_error_text_repeats_a_secret),
    };
    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
