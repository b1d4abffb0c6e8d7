/* SPDX-License-Identifier: MIT */
#include "base/base64url.h"
#include "core/manager.h"

#include "support/jar.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sessions that their visitor carries, sealed. */

#define KEY_1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_2 "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="

static const char plain[] = "{\"sealKeys\":[\"" KEY_1 "\"]}";

static struct scene *sealed_scene(void **state, const char *provider, const char *json)
{
    scene_free(*state);
    return *state = scene_new(provider, json);
}

/* ---- what it carries ---- */

static void a_session_travels_with_its_visitor(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie", plain);
    struct jar jar = { 0 };
    jar_begin(scene->manager, &jar, NULL);
    assert_int_equal(jar_int(scene->manager, &jar, "n"), 1);
    ses_session *session = jar_visit(scene->manager, &jar);
    assert_ok(ses_increment(session, "n", 1));
    assert_int_equal(jar_finish(session, &jar), 1);
    assert_int_equal(jar_int(scene->manager, &jar, "n"), 2);
    assert_int_equal(jar_finish(jar_visit(scene->manager, &jar), &jar),
                     0); /* a read sets no cookie */
    jar_free(&jar);
}

static void the_token_shows_nothing(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie", plain);
    struct jar jar = { 0 };
    ses_session *session = jar_visit(scene->manager, &jar);
    assert_ok(ses_set_text(session, "secret", "nobody is to read this"));
    (void)jar_finish(session, &jar);
    unsigned char bytes[1024];
    const struct ses_slice text = { jar.values[0], strlen(jar.values[0]) };
    assert_true(base64url_decode(text, bytes));
    assert_null(memmem(bytes, text.len * 3 / 4, "secret", 6));
    assert_null(memmem(bytes, text.len * 3 / 4, "nobody", 6));
    jar_free(&jar);
}

static void limits_hold_inside(void **state)
{
    struct scene *scene =
        sealed_scene(state, "cookie",
                     "{\"sealKeys\":[\"" KEY_1 "\"],\"idleTimeout\":600,\"absoluteTimeout\":1000}");
    struct jar jar = { 0 };
    jar_begin(scene->manager, &jar, NULL);
    atomic_fetch_add(&scene->now_ms, 599 * 1000);
    const struct jar old = jar_copy(&jar);
    assert_int_equal(jar_finish(jar_visit(scene->manager, &jar), &jar),
                     1); /* touched: sealed anew */
    atomic_fetch_add(&scene->now_ms, 1000);
    assert_false(jar_known(scene->manager, &old));
    assert_true(jar_known(scene->manager, &jar));
    atomic_fetch_add(&scene->now_ms, 400 * 1000);
    assert_false(jar_known(scene->manager, &jar));
    assert_int_equal(scene_told(scene, SES_EVENT_EXPIRED), 2);
    assert_int_equal(scene_told(scene, SES_EVENT_REJECTED), 2); /* each once, for what it is */
    jar_free(&jar);
    jar_free((struct jar *)&old);
}

/* ---- what is refused ---- */

static void every_flipped_bit_and_every_truncation_is_refused_in_one_way(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie", plain);
    struct jar jar = { 0 };
    jar_begin(scene->manager, &jar, NULL);
    unsigned char bytes[1024];
    char *token = jar.values[0], text[1400];
    const size_t len = strlen(token) * 3 / 4;
    assert_true(base64url_decode((struct ses_slice){ token, strlen(token) }, bytes));
    scene_forget(scene);
    size_t tries = 0;
    jar.values[0] = text;
    for (size_t bit = 0; bit < len * 8; bit++, tries++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        base64url_encode(bytes, len, text);
        text[BASE64URL_LEN(len)] = '\0';
        assert_false(jar_known(scene->manager, &jar));
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < strlen(token); cut++, tries++) {
        (void)snprintf(text, sizeof text, "%.*s", (int)cut, token);
        assert_false(jar_known(scene->manager, &jar));
    }
    assert_int_equal(scene_stats(scene).malformed, tries);
    jar.values[0] = token;
    assert_true(jar_known(scene->manager, &jar));
    jar_free(&jar);
}

static void a_token_of_another_name_or_realm_is_refused(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie", plain);
    struct scene *named = scene_new("cookie", "{\"sealKeys\":[\"" KEY_1
                                              "\"],\"cookieName\":\"other\",\"realm\":\"id\"}");
    struct scene *realmed =
        scene_new("cookie", "{\"sealKeys\":[\"" KEY_1 "\"],\"realm\":\"other\"}");
    struct jar jar = { 0 };
    jar_begin(scene->manager, &jar, NULL);
    assert_code(ses_exists(named->manager, jar.values[0]), SES_ERR_NOT_FOUND);
    assert_code(ses_exists(realmed->manager, jar.values[0]), SES_ERR_NOT_FOUND);
    assert_ok(ses_exists(scene->manager, jar.values[0]));
    scene_free(named);
    scene_free(realmed);
    jar_free(&jar);
}

/* Rack's CVE-2026-39324: what does not decrypt is not tried otherwise (T-17). */
static void what_is_not_sealed_is_never_read(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie", plain);
    static const char *const values[] = {
        "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", "gqEAAaA", "", ".", "2.", "9.AA", "2.AAAA"
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct jar jar = { .count = 1, .names = { "__Host-id" }, .values = { strdup(values[i]) } };
        assert_false(jar_known(scene->manager, &jar));
        jar_free(&jar);
    }
}

/* ---- keys ---- */

static void keys_are_exchanged_without_logging_anyone_out(void **state)
{
    struct scene *first = sealed_scene(state, "cookie", plain);
    struct scene *both = scene_new("cookie", "{\"sealKeys\":[\"" KEY_2 "\",\"" KEY_1 "\"]}");
    struct scene *second = scene_new("cookie", "{\"sealKeys\":[\"" KEY_2 "\"]}");
    struct jar jar = { 0 };
    jar_begin(first->manager, &jar, "ada");
    assert_false(jar_known(second->manager, &jar));
    assert_true(jar_known(both->manager, &jar));
    assert_int_equal(jar_finish(jar_visit(both->manager, &jar), &jar),
                     1); /* a read seals it anew */
    assert_true(jar_known(second->manager, &jar));
    assert_false(jar_known(first->manager, &jar)); /* by the first of the list, not the last */
    assert_int_equal(jar_finish(jar_visit(both->manager, &jar), &jar), 0);
    scene_free(both);
    scene_free(second);
    jar_free(&jar);
}

/* The key was made elsewhere: Python's hashlib.scrypt(), n = 32768, r = 8, p = 1, and the salt
 * "sesame sealing key" (S-43, ASVS 5.0 11.4.4). */
static void a_passphrase_is_a_key_by_scrypt(void **state)
{
    struct scene *scene =
        sealed_scene(state, "cookie", "{\"sealPassphrase\":\"correct horse battery staple\"}");
    struct scene *keyed =
        scene_new("cookie", "{\"sealKeys\":\"MSI3Akh5gBlrQnQI+Yjhh30/9bjIuE5MBC2a7n7LZ8c=\"}");
    struct jar jar = { 0 };
    jar_begin(scene->manager, &jar, NULL);
    assert_int_equal(jar_int(keyed->manager, &jar, "n"), 1);
    scene_free(keyed);
    jar_free(&jar);
}

static void assert_refused(const char *provider, const char *json, const char *part)
{
    struct ses_error error = { 0 };
    assert_null(ses_manager_new(provider, json, NULL, &error));
    assert_int_equal(error.code, SES_ERR_INVALID);
    if (!strstr(error.message, part))
        fail_msg("\"%s\" does not say \"%s\"", error.message, part);
}

static void keys_that_are_none_are_refused_at_start(void **state)
{
    (void)state;
    assert_refused("cookie", "{}", "need \"sealKeyFile\"");
    assert_refused("cookie", "{\"sealKeys\":\"c2hvcnQ=\"}", "key 1 is not 32 bytes");
    assert_refused("cookie", "{\"sealPassphrase\":\"fifteen letters\"}", "at least 16");
    assert_refused("cookie", "{\"sealKeyFile\":\"/nowhere/at/all\"}", "/nowhere/at/all: No such");
    assert_refused("cookie", "{\"sealKeys\":[\"" KEY_1 "\"],\"maxSessionsPerUser\":1}",
                   "index by user");
    assert_refused("memory", "{\"sealKeys\":[\"" KEY_1 "\"]}", "needs the provider \"cookie\"");
    assert_refused("cookie+nothing", plain, "nothing");
    assert_refused("cookie", "{\"providerConfig\":\"{\\\"secret\\\":1}\"}", "\"secret\"");
}

/* ---- the file of keys ---- */

static char key_file[32];

static int make_key_file(void **state)
{
    (void)state;
    (void)snprintf(key_file, sizeof key_file, "/tmp/sesame-keys-XXXXXX");
    const int fd = mkstemp(key_file);
    const bool written = fd >= 0 && write(fd, KEY_1 "\n", sizeof KEY_1) == sizeof KEY_1;
    return written ? close(fd) : -1;
}

static int remove_key_file(void **state)
{
    (void)state;
    return unlink(key_file);
}

static ses_manager *open_key_file(struct ses_error *error)
{
    char json[64];
    (void)snprintf(json, sizeof json, "{\"sealKeyFile\":\"%s\"}", key_file);
    return ses_manager_new("cookie", json, NULL, error);
}

static void assert_key_file_taken(void)
{
    struct ses_error error;
    ses_manager *manager = open_key_file(&error);
    if (!manager)
        fail_msg("%s", error.message);
    ses_manager_unref(manager);
}

static void assert_key_file_refused(const char *why)
{
    struct ses_error error;
    char message[252];
    assert_null(open_key_file(&error));
    assert_int_equal(error.code, SES_ERR_INVALID);
    (void)snprintf(message, sizeof message, "\"sealKeyFile\": %s: refused, because %s", key_file,
                   why);
    assert_string_equal(error.message, message);
}

static void a_key_file_is_its_owners_and_perhaps_its_groups_to_read(void **state)
{
    (void)state;
    static const mode_t taken[] = { 0600, 0400, 0640, 0440, 0700, 0650 };
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        assert_int_equal(chmod(key_file, taken[i]), 0);
        assert_key_file_taken();
    }
}

static void a_key_file_that_others_can_open_is_refused_with_what_mends_it(void **state)
{
    (void)state;
    static const mode_t open_bits[] = { 0666, 0644, 0660, 0620, 0604, 0602, 0601, 0777 };
    for (size_t i = 0; i < sizeof open_bits / sizeof open_bits[0]; i++) {
        assert_int_equal(chmod(key_file, open_bits[i]), 0);
        assert_key_file_refused("others may read or change it: chmod g-w,o= mends that");
    }
    char command[64];
    (void)snprintf(command, sizeof command, "chmod g-w,o= %s", key_file);
    assert_int_equal(system(command), 0);
    assert_key_file_taken();
}

static void a_key_file_of_another_user_is_refused(void **state)
{
    (void)state;
    assert_int_equal(chmod(key_file, 0600), 0);
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(key_file, 65534, 65534), 0);
    assert_key_file_refused("it is another user's: it has to be root's or the process's own");
    assert_int_equal(seteuid(65534), 0);
    assert_key_file_taken();
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chown(key_file, 0, 65534), 0); /* a service's group reads what root keeps */
    assert_int_equal(chmod(key_file, 0640), 0);
    assert_int_equal(setegid(65534), 0);
    assert_int_equal(seteuid(65534), 0);
    assert_key_file_taken();
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);
}

static void what_is_no_plain_file_holds_no_keys(void **state)
{
    (void)state;
    assert_refused("cookie", "{\"sealKeyFile\":\"/tmp\"}",
                   "/tmp: refused, because it is not a plain");
    assert_int_equal(unlink(key_file), 0);
    assert_int_equal(mkfifo(key_file, 0600), 0);
    assert_key_file_refused("it is not a plain file");
}

static void the_ancestors_string_works(void **state)
{
    struct scene *scene =
        sealed_scene(state, "cookie",
                     "{\"cookieName\":\"outer\",\"enableSetCookie\":false,\"ProviderConfig\":"
                     "\"{\\\"cookieName\\\":\\\"gosessionid\\\",\\\"securityKey\\\":"
                     "\\\"beegocookiehashkey\\\"}\"}");
    struct jar jar = { 0 };
    jar_begin(scene->manager, &jar, NULL); /* sent all the same */
    assert_string_equal(jar.names[0], "gosessionid");
    assert_int_equal(jar_int(scene->manager, &jar, "n"), 1);
    jar_free(&jar);
}

/* ---- size ---- */

static void a_big_session_goes_in_parts(void **state)
{
    struct scene *scene =
        sealed_scene(state, "cookie", "{\"sealKeys\":[\"" KEY_1 "\"],\"sealChunks\":3}");
    struct jar jar = { 0 };
    char text[9000];
    memset(text, 'x', sizeof text);
    text[7000] = '\0';
    ses_session *session = jar_visit(scene->manager, &jar);
    assert_ok(ses_set_text(session, "big", text));
    assert_int_equal(jar_finish(session, &jar), 3);
    assert_int_equal(jar.count, 3);
    assert_true(jar_known(scene->manager, &jar));

    for (size_t lost = 0; lost < 3; lost++) { /* no session, and no error */
        struct jar less = jar_copy(&jar);
        const struct ses_cookie gone = { .name = jar.names[lost], .value = "" };
        jar_keep(&less, &gone);
        assert_false(jar_known(scene->manager, &less));
        jar_free(&less);
    }
    session = jar_visit(scene->manager, &jar);
    assert_ok(ses_set_text(session, "big", "small"));
    assert_int_equal(jar_finish(session, &jar), 3); /* one set, two removed */
    assert_int_equal(jar.count, 1);
    assert_true(jar_known(scene->manager, &jar));

    session = jar_visit(scene->manager, &jar);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_ok(ses_set_text(session, "big", text));
    assert_ok(ses_set_text(session, "bigger", text));
    assert_code(ses_commit(session, NULL), SES_ERR_TOO_LARGE);
    ses_release(session);
    assert_true(jar_known(scene->manager, &jar));
    jar_free(&jar);
}

static void the_end_removes_every_part(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie", plain);
    struct jar jar = { 0 };
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ses_session *session = jar_visit(scene->manager, &jar);
    assert_ok(ses_set_text(session, "big", text));
    assert_int_equal(jar_finish(session, &jar), 2);
    session = jar_visit(scene->manager, &jar);
    assert_ok(ses_logout(session, 0));
    assert_int_equal(jar_finish(session, &jar), 2);
    assert_int_equal(jar.count, 0);
}

/* ---- without and with a ledger ---- */

static int no_info(void *arg, const struct ses_info *info)
{
    (void)info;
    ++*(unsigned *)arg;
    return 0;
}

static void without_a_ledger_some_calls_are_unsupported(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie", plain);
    struct jar jar = { 0 };
    unsigned shown = 0;
    uint64_t count;
    struct ses_value value;
    jar_begin(scene->manager, &jar, "ada");
    ses_session *session = jar_visit(scene->manager, &jar);
    assert_code(ses_take(session, "n", &value), SES_ERR_UNSUPPORTED);
    ses_release(session);
    assert_code(ses_list(scene->manager, "ada", no_info, &shown), SES_ERR_UNSUPPORTED);
    assert_code(ses_end_user(scene->manager, "ada", NULL), SES_ERR_UNSUPPORTED);
    assert_code(ses_count(scene->manager, &count), SES_ERR_UNSUPPORTED);
    assert_code(ses_destroy_id(scene->manager, jar.values[0]), SES_ERR_UNSUPPORTED);
    jar_free(&jar);
}

static void with_a_ledger_a_log_out_is_one(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie+fake", plain);
    struct jar jar = { 0 };
    jar_begin(scene->manager, &jar, "ada");
    struct jar stolen = jar_copy(&jar);
    ses_session *session = jar_visit(scene->manager, &jar);
    assert_ok(ses_logout(session, 0));
    (void)jar_finish(session, &jar);
    assert_int_equal(jar.count, 0);
    assert_false(jar_known(scene->manager, &stolen));
    assert_int_equal(scene_rejected(scene, SES_REASON_ENDED), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_REJECTED), 1);
    jar_free(&stolen);
}

static void with_a_ledger_users_have_lists_limits_and_an_end(void **state)
{
    struct scene *scene = sealed_scene(
        state, "cookie+memory",
        "{\"sealKeys\":[\"" KEY_1 "\"],\"maxSessionsPerUser\":2,\"whenUserFull\":\"endOldest\"}");
    struct jar jars[3] = { { 0 } };
    unsigned shown = 0;
    for (size_t i = 0; i < 3; i++) {
        jar_begin(scene->manager, &jars[i], "ada");
        atomic_fetch_add(&scene->now_ms, 1000);
    }
    assert_false(jar_known(scene->manager, &jars[0]));
    assert_true(jar_known(scene->manager, &jars[1]) && jar_known(scene->manager, &jars[2]));
    assert_ok(ses_list(scene->manager, "ada", no_info, &shown));
    assert_int_equal(shown, 2);
    ses_session *session = jar_visit(scene->manager, &jars[2]);
    assert_ok(ses_end_user(scene->manager, "ada", session));
    ses_release(session);
    assert_false(jar_known(scene->manager, &jars[1]));
    assert_true(jar_known(scene->manager, &jars[2]));
    for (size_t i = 0; i < 3; i++)
        jar_free(&jars[i]);
}

static void with_a_ledger_a_lost_race_is_a_conflict(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie+fake", plain);
    struct jar jar = { 0 };
    jar_begin(scene->manager, &jar, NULL);
    struct jar late = jar_copy(&jar);
    ses_session *first = jar_visit(scene->manager, &jar),
                *second = jar_visit(scene->manager, &late);
    assert_ok(ses_increment(first, "n", 1));
    assert_ok(ses_increment(second, "n", 1));
    (void)jar_finish(first, &jar);
    assert_code(ses_commit(second, NULL), SES_ERR_CONFLICT);
    ses_release(second);
    assert_int_equal(jar_int(scene->manager, &jar, "n"), 2);
    jar_free(&jar);
    jar_free(&late);
}

static void with_a_ledger_a_value_is_taken_once(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie+fake", plain);
    struct jar jar = { 0 };
    struct ses_value value;
    jar_begin(scene->manager, &jar, NULL);
    ses_session *first = jar_visit(scene->manager, &jar), *second = jar_visit(scene->manager, &jar);
    assert_ok(ses_take(first, "n", &value));
    assert_int_equal(value.integer, 1);
    assert_code(ses_take(second, "n", &value), SES_ERR_CONFLICT);
    (void)jar_finish(first, &jar);
    ses_release(second);
    assert_int_equal(jar_int(scene->manager, &jar, "n"), -1);
    jar_free(&jar);
}

static void the_ledger_holds_no_value(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie+fake", plain);
    struct jar jar = { 0 };
    ses_session *session = jar_visit(scene->manager, &jar);
    assert_ok(ses_set_text(session, "secret", "nobody is to read this"));
    (void)jar_finish(session, &jar);
    session = jar_visit(scene->manager, &jar);
    const struct ses_key key = key_of_session(session);
    struct ses_record record;
    assert_ok(store_load(scene->manager->store, &key, scene->now_ms, &record));
    const struct ses_slice bytes = ses_blob_bytes(record.data);
    assert_null(memmem(bytes.data, bytes.len, "secret", 6));
    assert_null(memmem(bytes.data, bytes.len, "nobody", 6));
    (void)ses_blob_unref(record.data);
    ses_release(session);
    jar_free(&jar);
}

static void a_log_in_makes_another_session_of_it(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie+fake", plain);
    struct jar jar = { 0 };
    jar_begin(scene->manager, &jar, NULL);
    struct jar before = jar_copy(&jar);
    ses_session *session = jar_visit(scene->manager, &jar);
    assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, 0));
    (void)jar_finish(session, &jar);
    assert_false(jar_known(scene->manager, &before));
    assert_int_equal(jar_int(scene->manager, &jar, "n"), -1);
    session = jar_visit(scene->manager, &jar);
    assert_ok(ses_require(session, SES_LEVEL_FULL, 60));
    ses_release(session);
    jar_free(&jar);
    jar_free(&before);
}

static void a_token_opens_a_session_without_http(void **state)
{
    struct scene *scene = sealed_scene(state, "cookie", plain);
    struct jar jar = { 0 };
    jar_begin(scene->manager, &jar, "ada");
    ses_session *session;
    assert_ok(ses_open(scene->manager, jar.values[0], &session));
    int64_t n;
    assert_ok(ses_get_int(session, "n", &n));
    assert_ok(ses_set_int(session, "n", 5));
    assert_ok(ses_commit(session, NULL));
    const char *token = ses_session_id(session);
    assert_non_null(token);
    assert_ok(ses_exists(scene->manager, token));
    ses_release(session);
    assert_code(ses_open(scene->manager, "rubbish", &session), SES_ERR_NOT_FOUND);
    jar_free(&jar);
}

#define CASE(name)           cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)
#define CASE_WITH_FILE(name) cmocka_unit_test_setup_teardown(name, make_key_file, remove_key_file)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(a_session_travels_with_its_visitor),
        CASE(the_token_shows_nothing),
        CASE(limits_hold_inside),
        CASE(every_flipped_bit_and_every_truncation_is_refused_in_one_way),
        CASE(a_token_of_another_name_or_realm_is_refused),
        CASE(what_is_not_sealed_is_never_read),
        CASE(keys_are_exchanged_without_logging_anyone_out),
        CASE(a_passphrase_is_a_key_by_scrypt),
        CASE(keys_that_are_none_are_refused_at_start),
        CASE_WITH_FILE(a_key_file_is_its_owners_and_perhaps_its_groups_to_read),
        CASE_WITH_FILE(a_key_file_that_others_can_open_is_refused_with_what_mends_it),
        CASE_WITH_FILE(a_key_file_of_another_user_is_refused),
        CASE_WITH_FILE(what_is_no_plain_file_holds_no_keys),
        CASE(the_ancestors_string_works),
        CASE(a_big_session_goes_in_parts),
        CASE(the_end_removes_every_part),
        CASE(without_a_ledger_some_calls_are_unsupported),
        CASE(with_a_ledger_a_log_out_is_one),
        CASE(with_a_ledger_users_have_lists_limits_and_an_end),
        CASE(with_a_ledger_a_lost_race_is_a_conflict),
        CASE(with_a_ledger_a_value_is_taken_once),
        CASE(the_ledger_holds_no_value),
        CASE(a_log_in_makes_another_session_of_it),
        CASE(a_token_opens_a_session_without_http),
    };
    return cmocka_run_group_tests_name("sealed", tests, NULL, NULL);
}
