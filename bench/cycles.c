/* SPDX-License-Identifier: MIT */
#include "cycles.h"

#include <string.h>

/* Together with the header a record of about 400 bytes. Every text begins with 'v'. */
static const char *const keys[VALUES] = { "user", "email", "lang", "theme", "cart" };
#define TEXT_60 "v0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
enum { TEXT_BYTES = sizeof TEXT_60 - 1 };

ses_manager *cycles_manager(const char *provider, ses_clock_fn *clock, void *clock_arg)
{
    const struct ses_manager_options options = {
        .size = sizeof options,
        .clock = clock,
        .clock_arg = clock_arg,
    };
    struct ses_error error;
    ses_manager *manager = ses_manager_new(
        provider, "{\"idleTimeout\":604800,\"touchThreshold\":86400}", &options, &error);
    if (!manager)
        bench_fail("%s", error.message);
    return manager;
}

/* ---- one request ---- */

static struct ses_request request_of(const struct ses_slice *cookie)
{
    return (struct ses_request){
        .size = sizeof(struct ses_request),
        .cookies = cookie,
        .cookie_count = cookie ? 1 : 0,
        .peer = "192.0.2.7",
    };
}

static int start(ses_manager *manager, const struct visitor *visitor, ses_session **ret_session)
{
    const struct ses_slice cookie = { visitor->cookie, COOKIE_BYTES };
    const struct ses_request request = request_of(&cookie);
    return ses_start(manager, &request, ret_session);
}

int cycles_read_one(ses_manager *manager, const struct visitor *visitor, uint64_t *ret_result)
{
    ses_session *session;
    int r = start(manager, visitor, &session);
    if (r < 0)
        return r;
    const char *text = "";
    const struct ses_headers *headers;
    r = ses_get_text(session, keys[(unsigned char)visitor->cookie[20] % VALUES], &text);
    if (r == SES_OK)
        r = ses_commit(session, &headers);
    *ret_result = (uint64_t)(unsigned char)text[0] - 'v';
    ses_release(session);
    return r;
}

static int write_one(ses_manager *manager, const struct visitor *visitor, const char *value,
                     uint64_t *ret_result)
{
    ses_session *session;
    int r = start(manager, visitor, &session);
    if (r < 0)
        return r;
    const char *text = "";
    const struct ses_headers *headers;
    const char *key = keys[(unsigned char)visitor->cookie[20] % VALUES];
    r = ses_get_text(session, key, &text);
    *ret_result = (uint64_t)(unsigned char)text[0] - 'v';
    if (r == SES_OK)
        r = ses_set_text(session, key, value);
    if (r == SES_OK)
        r = ses_commit(session, &headers);
    ses_release(session);
    return r;
}

static void write_cookie(struct visitor *visitor, const char *id)
{
    if (strlen(id) != ID_TEXT_BYTES)
        bench_fail("an id is not of %d characters", ID_TEXT_BYTES);
    memcpy(visitor->cookie, "id=", 3);
    memcpy(visitor->cookie + 3, id, ID_TEXT_BYTES + 1);
}

int cycles_create(ses_manager *manager, uint32_t idle_s, struct visitor *ret_visitor)
{
    const struct ses_request request = request_of(NULL);
    ses_session *session;
    int r = ses_start(manager, &request, &session);
    if (r < 0)
        return r;
    const struct ses_headers *headers;
    for (int i = 0; r == SES_OK && i < VALUES; i++)
        r = ses_set_text(session, keys[i], TEXT_60);
    if (r == SES_OK && idle_s > 0)
        r = ses_set_lifetime(session, idle_s, 0);
    if (r == SES_OK)
        r = ses_commit(session, &headers);
    if (r == SES_OK && ret_visitor)
        write_cookie(ret_visitor, ses_session_id(session));
    ses_release(session);
    return r;
}

/* ---- the loops ---- */

uint64_t cycles_read(void *arg, const struct bench_share *share)
{
    const struct population *population = arg;
    struct walk walk = walk_start(population, share->thread, share->round);
    uint64_t result = 0, failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        const struct visitor *visitor = &population->visitors[walk_next(&walk, result)];
        failures += cycles_read_one(population->manager, visitor, &result) != SES_OK;
    }
    return failures;
}

/* Sixteen characters of the text change; made by hand, because printf would be what is measured. */
static void vary(char *text, uint64_t number)
{
    for (int i = 1; i <= 16; i++, number >>= 4)
        text[i] = "0123456789abcdef"[number & 15];
}

uint64_t cycles_write(void *arg, const struct bench_share *share)
{
    const struct population *population = arg;
    struct walk walk = walk_start(population, share->thread, share->round);
    const uint64_t base = (uint64_t)(share->round * 64 + share->thread) << 40;
    char text[TEXT_BYTES + 1] = TEXT_60;
    uint64_t result = 0, failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        const struct visitor *visitor = &population->visitors[walk_next(&walk, result)];
        vary(text, base + i);
        failures += write_one(population->manager, visitor, text, &result) != SES_OK;
    }
    return failures;
}

uint64_t cycles_fresh(void *arg, const struct bench_share *share)
{
    const struct population *population = arg;
    uint64_t failures = 0;
    for (uint64_t i = 0; i < share->operations; i++)
        failures += cycles_create(population->manager, 0, NULL) != SES_OK;
    return failures;
}
