/* SPDX-License-Identifier: MIT */
/* What lies in the server, what becomes of it when others meddle, and what the provider tells. */
#include "provider/redis_fixture.h"
#include "redis/seen.h"
#include "shared/envelope.h"

#include <stdio.h>

static struct server server;

static struct redis_shop *open_shop(void)
{
    struct redis_shop *shop = calloc(1, sizeof *shop);
    char url[URL_ROOM];
    assert_ok(shop_open(shop, redis_unix_url(&server, "", url)));
    return shop;
}

static void end(struct redis_shop *shop)
{
    shop_close(shop);
    free(shop);
}

static char *hex_of(const struct ses_key *key, char text[2 * SES_KEY_BYTES + 1])
{
    for (size_t i = 0; i < sizeof key->bytes; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", key->bytes[i]);
    return text;
}

/* One command about a key of that kind, "%s" being its name. */
static redisReply *say(const char *format, char kind, const struct ses_key *key)
{
    char digits[2 * SES_KEY_BYTES + 1], name[100], command[300];
    (void)snprintf(name, sizeof name, "sesame-%c-%s", kind, hex_of(key, digits));
    const char *at = strstr(format, "%s");
    assert_non_null(at);
    (void)snprintf(command, sizeof command, "%.*s%s%s", (int)(at - format), format, name, at + 2);
    redisReply *reply = redis_say(&server, command);
    assert_non_null(reply);
    return reply;
}

static long long number(const char *format, char kind, const struct ses_key *key)
{
    redisReply *reply = say(format, kind, key);
    const long long x = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -100;
    reply_free(reply);
    return x;
}

static int load(struct redis_shop *shop, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(shop->f.store, key, shop->f.now, &record);
    drop_record(&record);
    return r;
}

static uint32_t listed(struct redis_shop *shop, const struct ses_key *user)
{
    const struct ses_key none = { { 0 } };
    struct sighting sighting = { .key = &none };
    assert_ok(store_list(shop->f.store, user, shop->f.now, note_sighting, &sighting));
    return sighting.others;
}

/* ---- the layout ---- */

static void record_lies_under_its_key_as_the_layout_has_it(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    redisReply *reply = say("GET %s", 's', &key);
    assert_int_equal(reply->len, ENVELOPE_HEAD + 5);
    assert_memory_equal(reply->str, "SESV\1\1\0\0", 8);
    uint64_t found;
    memcpy(&found, reply->str + ENVELOPE_VERSION, sizeof found);
    assert_int_equal(le64toh(found), version);
    memcpy(&found, reply->str + ENVELOPE_EXPIRY, sizeof found);
    assert_int_equal(le64toh(found), shop->f.now + LIFE_MS);
    assert_memory_equal(reply->str + ENVELOPE_HEAD, "alpha", 5);
    reply_free(reply);
    assert_in_range(number("PTTL %s", 's', &key), LIFE_MS - 5000, LIFE_MS);
    end(shop);
}

static void time_to_live_moves_with_a_touch_and_a_save(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    assert_ok(store_touch(shop->f.store, &key, shop->f.now, version, shop->f.now + 2 * LIFE_MS));
    assert_in_range(number("PTTL %s", 's', &key), 2 * LIFE_MS - 5000, 2 * LIFE_MS);
    assert_ok(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION));
    assert_in_range(number("PTTL %s", 's', &key), LIFE_MS - 5000, LIFE_MS);
    end(shop);
}

static void expiry_that_no_clock_reaches_is_kept(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key key = new_key();
    (void)put_until(&shop->f, &key, "alpha", INT64_MAX);
    assert_ok(load(shop, &key));
    assert_true(number("PTTL %s", 's', &key) > INT64_C(86400000) * 365);
    end(shop);
}

/* ---- values that are not ours ---- */

static void value_that_does_not_check_is_corrupt_and_never_served(void **state)
{
    (void)state;
    static const int offsets[] = { 0, 4, 5, 6, 8, 16, 20, 24, 32, 36, 68, 76, 80, 84 };
    struct redis_shop *shop = open_shop();
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        char command[64];
        const struct ses_key key = new_key();
        (void)put(&shop->f, &key, "alpha");
        (void)snprintf(command, sizeof command, "SETRANGE %%s %d ~", offsets[i]);
        assert_true(number(command, 's', &key) > 0);
        assert_code(load(shop, &key), SES_ERR_CORRUPT);
        assert_non_null(strstr(shop->told, "does not check"));
        assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
    }
    end(shop);
}

static void value_of_another_key_is_not_taken_for_this_ones(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key ours = new_key(), theirs = new_key();
    char digits[2 * SES_KEY_BYTES + 1], command[200];
    (void)put(&shop->f, &theirs, "alpha");
    (void)snprintf(command, sizeof command, "COPY %%s sesame-s-%s", hex_of(&ours, digits));
    assert_int_equal(number(command, 's', &theirs), 1);
    assert_code(load(shop, &ours), SES_ERR_CORRUPT);
    end(shop);
}

static void key_of_another_type_is_corrupt(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key key = new_key(), user = new_key();
    reply_free(say("LPUSH %s x", 's', &key));
    assert_code(load(shop, &key), SES_ERR_CORRUPT);
    reply_free(say("SET %s x", 'u', &user));
    const struct ses_key session = new_key();
    assert_code(create_owned(&shop->f, &session, &user, 0), SES_ERR_CORRUPT);
    assert_code(load(shop, &session), SES_ERR_NOT_FOUND);
    end(shop);
}

/* ---- the server's own troubles ---- */

static void server_without_memory_is_full_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key key = new_key(), next = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    struct ses_record record = make_record(SLICE("beta"), shop->f.now + LIFE_MS);
    reply_free(redis_say(&server, "CONFIG SET maxmemory 1"));
    assert_code(store_create(shop->f.store, &next, shop->f.now, NULL, &record), SES_ERR_FULL);
    assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_FULL);
    assert_loads(&shop->f, &key, "alpha", version, shop->f.now + LIFE_MS);
    reply_free(redis_say(&server, "CONFIG SET maxmemory 0"));
    assert_ok(store_create(shop->f.store, &next, shop->f.now, NULL, &record));
    drop_record(&record);
    end(shop);
}

static void scripts_that_the_server_forgot_are_sent_again(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key key = new_key();
    uint64_t version = put(&shop->f, &key, "alpha");
    reply_free(redis_say(&server, "SCRIPT FLUSH"));
    assert_ok(store_touch(shop->f.store, &key, shop->f.now, version, shop->f.now + LIFE_MS + 1));
    reply_free(redis_say(&server, "SCRIPT FLUSH"));
    assert_ok(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION));
    reply_free(redis_say(&server, "SCRIPT FLUSH"));
    assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
    end(shop);
}

static void replica_that_is_asked_to_write_is_unavailable(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key key = new_key();
    struct ses_record record = make_record(SLICE("beta"), shop->f.now + LIFE_MS);
    reply_free(redis_say(&server, "REPLICAOF 127.0.0.1 1"));
    assert_code(store_create(shop->f.store, &key, shop->f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    assert_non_null(strstr(shop->told, "READONLY"));
    reply_free(redis_say(&server, "REPLICAOF NO ONE"));
    assert_ok(store_create(shop->f.store, &key, shop->f.now, NULL, &record));
    drop_record(&record);
    end(shop);
}

/* ---- the index by user ---- */

static uint64_t save_until(struct redis_shop *shop, const struct ses_key *key, uint64_t expected,
                           int64_t expires_ms)
{
    struct ses_record winner = { 0 }, record = make_record(SLICE("later"), expires_ms);
    assert_ok(store_save(shop->f.store, key, shop->f.now, expected, &record, &winner));
    drop_record(&record);
    return record.version;
}

static void index_outlives_every_session_of_its_user(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key user = new_key(), key = new_key(), brief = new_key();
    assert_ok(create_owned(&shop->f, &key, &user, 0));
    struct ses_record record = { 0 };
    assert_ok(store_load(shop->f.store, &key, shop->f.now, &record));
    /* Further and further, each time into another day, and a session that ends early between. */
    for (int64_t days = 1; days < 40; days += 3) {
        const int64_t expires_ms = shop->f.now + days * INT64_C(86400000);
        if (days % 2)
            assert_ok(store_touch(shop->f.store, &key, shop->f.now, record.version, expires_ms));
        else
            record.version = save_until(shop, &key, record.version, expires_ms);
        assert_ok(create_owned(&shop->f, &brief, &user, 0));
        assert_ok(store_destroy(shop->f.store, &brief, shop->f.now));
        assert_true(number("PTTL %s", 'u', &user) > days * INT64_C(86400000));
    }
    drop_record(&record);
    assert_int_equal(listed(shop, &user), 1);
    end(shop);
}

static void index_that_was_lost_is_mended_when_its_session_moves_on(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key user = new_key(), key = new_key();
    assert_ok(create_owned(&shop->f, &key, &user, 0));
    assert_int_equal(number("DEL %s", 'u', &user), 1);
    assert_int_equal(listed(shop, &user), 0);
    struct ses_record record = { 0 };
    assert_ok(store_load(shop->f.store, &key, shop->f.now, &record));
    assert_ok(store_touch(shop->f.store, &key, shop->f.now, record.version,
                          shop->f.now + 3 * INT64_C(86400000)));
    drop_record(&record);
    assert_int_equal(listed(shop, &user), 1);
    end(shop);
}

static void entries_of_sessions_that_ended_leave_the_index(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key user = new_key(), key = new_key(), other = new_key(), last = new_key();
    struct ses_record record = { 0 };
    assert_ok(create_owned(&shop->f, &key, &user, 0));
    assert_ok(create_owned(&shop->f, &other, &user, 0));
    assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
    assert_int_equal(number("ZCARD %s", 'u', &user), 1);
    assert_ok(store_load(shop->f.store, &other, shop->f.now, &record));
    assert_ok(save_as(&shop->f, &other, record.version, "marker", SES_KIND_DEAD));
    drop_record(&record);
    assert_int_equal(number("ZCARD %s", 'u', &user), 0);
    assert_code(create_owned(&shop->f, &other, &user, 0), SES_ERR_EXISTS);
    assert_int_equal(number("ZCARD %s", 'u', &user), 0);
    assert_ok(create_owned(&shop->f, &last, &user, 1));
    end(shop);
}

/* As a client leaves it that dies between the index and the record. */
static void entry_without_a_session_counts_for_a_while_only(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key user = new_key(), key = new_key(), next = new_key();
    assert_ok(create_owned(&shop->f, &key, &user, 1));
    assert_int_equal(number("DEL %s", 's', &key), 1);
    assert_int_equal(listed(shop, &user), 0);
    assert_code(create_owned(&shop->f, &next, &user, 1), SES_ERR_DENIED);
    /* A minute ago, by the server's clock. */
    redisReply *reply = redis_say(&server, "TIME");
    const long long then = strtoll(reply->element[0]->str, NULL, 10) * 1000 - 61000;
    reply_free(reply);
    redisReply *entries = say("ZRANGE %s 0 -1", 'u', &user);
    assert_int_equal(entries->elements, 1);
    char path[SERVER_PATH_ROOM], digits[2 * SES_KEY_BYTES + 1];
    redisContext *context = redisConnectUnix(server_file(&server, "redis.sock", path));
    reply_free(redisCommand(context, "ZADD sesame-u-%s %lld %b", hex_of(&user, digits), then,
                            entries->element[0]->str, entries->element[0]->len));
    redisFree(context);
    reply_free(entries);
    assert_ok(create_owned(&shop->f, &next, &user, 1));
    assert_int_equal(number("ZCARD %s", 'u', &user), 1);
    end(shop);
}

/* ---- what it tells ---- */

static void nothing_that_it_tells_has_a_key_or_a_byte_of_a_record(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop();
    const struct ses_key key = new_key(), user = new_key();
    char digits[2 * SES_KEY_BYTES + 1];
    assert_ok(create_owned(&shop->f, &key, &user, 0));
    reply_free(redis_say(&server, "ACL SETUSER default -eval -evalsha -get"));
    (void)load(shop, &key);
    (void)store_destroy(shop->f.store, &key, shop->f.now);
    reply_free(redis_say(&server, "ACL SETUSER default +@all"));
    reply_free(redis_say(&server, "SCRIPT FLUSH"));
    reply_free(say("SETRANGE %s 10 ~~~", 's', &key));
    (void)load(shop, &key);
    (void)save_as(&shop->f, &key, 1, "nobody-shall-read", SES_KIND_SESSION);
    assert_true(strlen(shop->all) > 100);
    assert_null(strstr(shop->all, hex_of(&key, digits)));
    assert_null(strstr(shop->all, hex_of(&user, digits)));
    assert_null(strstr(shop->all, "nobody-shall-read"));
    end(shop);
}

static void server_that_repeats_a_command_in_its_error_is_not_repeated(void **state)
{
    static struct server mute;
    struct redis_shop *shop = calloc(1, sizeof *shop);
    const struct ses_key key = new_key();
    char url[URL_ROOM], digits[2 * SES_KEY_BYTES + 1];
    struct ses_record record = { 0 };
    (void)state;
    redis_start(&mute, (const char *const[]){ "--rename-command", "GET", "", NULL });
    assert_ok(shop_open(shop, redis_unix_url(&mute, "", url)));
    assert_code(store_load(shop->f.store, &key, shop->f.now, &record), SES_ERR_UNAVAILABLE);
    assert_non_null(strstr(shop->told, "unknown command"));
    hex_of(&key, digits)[12] = '\0'; /* not even its beginning */
    assert_null(strstr(shop->told, digits));
    end(shop);
    server_end(&mute);
}

static void walk_counts_what_it_meets_twice_once(void **state)
{
    enum { MANY = 5000 };
    static struct ses_key keys[MANY];
    struct seen seen = { 0 };
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            if (round == 0)
                keys[i] = new_key();
            assert_code(seen_add(&seen, &keys[i]), round == 0 ? SES_OK : SES_ERR_EXISTS);
        }
    }
    assert_int_equal(seen.count, MANY);
    seen_free(&seen);
}

static int start(void **state)
{
    (void)state;
    redis_start(&server, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_lies_under_its_key_as_the_layout_has_it),
        cmocka_unit_test(time_to_live_moves_with_a_touch_and_a_save),
        cmocka_unit_test(expiry_that_no_clock_reaches_is_kept),
        cmocka_unit_test(value_that_does_not_check_is_corrupt_and_never_served),
        cmocka_unit_test(value_of_another_key_is_not_taken_for_this_ones),
        cmocka_unit_test(key_of_another_type_is_corrupt),
        cmocka_unit_test(server_without_memory_is_full_and_keeps_what_it_has),
        cmocka_unit_test(scripts_that_the_server_forgot_are_sent_again),
        cmocka_unit_test(replica_that_is_asked_to_write_is_unavailable),
        cmocka_unit_test(index_outlives_every_session_of_its_user),
        cmocka_unit_test(index_that_was_lost_is_mended_when_its_session_moves_on),
        cmocka_unit_test(entries_of_sessions_that_ended_leave_the_index),
        cmocka_unit_test(entry_without_a_session_counts_for_a_while_only),
        cmocka_unit_test(nothing_that_it_tells_has_a_key_or_a_byte_of_a_record),
        cmocka_unit_test(server_that_repeats_a_command_in_its_error_is_not_repeated),
        cmocka_unit_test(walk_counts_what_it_meets_twice_once),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
