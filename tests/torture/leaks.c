/* SPDX-License-Identifier: MIT */
#include "torture/timing.h"
#include "torture/torture.h"

#include "base/base64url.h"

#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

/*
 * How long a refusal takes must not tell how near a forgery came: of sealed cookies (T-15, T-16),
 * of ids (T-19), of the check of an id, and of CSRF tokens. Measured is the call that a visitor
 * reaches. Each forgery is a text in which some bytes were changed, at random. The two classes
 * differ in which bytes, or in what was changed: a genuine text, or a stranger, which is as good
 * but for not being genuine. Both are made anew with each batch. For a class of few texts is faster
 * than one of many, since what it needs stays in the caches, and of any two texts one is faster, by
 * the characters in it: both can be measured, and neither tells what is genuine.
 */

enum {
    BYTES_MAX = 512,
    TEXTS_MAX = 256,
    NAME_BYTES = 3,    /* "id=" */
    SECONDS_MAX = 300, /* for one comparison: then it has as many samples as it has */
};

struct forger {
    ses_manager *manager;
    ses_session *session; /* what a start gave, or the one whose CSRF token is tried */
    uint64_t random;
    size_t len;                                   /* of each text, in bytes */
    size_t count;                                 /* of texts */
    unsigned char texts[2][TEXTS_MAX][BYTES_MAX]; /* genuine, and what stands beside each */
    unsigned char masks[2][BYTES_MAX]; /* 0xff: of this class a forgery has that byte changed */
    unsigned char bytes[BYTES_MAX];
    char cookie[NAME_BYTES + BASE64URL_LEN(BYTES_MAX) + 1]; /* what is sent */
};

struct span {
    size_t at, len;
};

/* The bytes that are changed in forgeries of either class. */
struct comparison {
    const char *name;
    struct span spans[2];
};

struct trial {
    void (*renew)(struct forger *forger); /* a manager, and genuine texts */
    struct span strange;                  /* where strangers differ; none: there are no strangers */
    void (*run)(void *arg);
    void (*clear)(void *arg);
    const struct comparison *comparisons; /* up to one without a name */
};

/* ---- forgeries ---- */

/* One more genuine text, which stands beside itself until there is a stranger. */
static void take(struct forger *forger, const char *text)
{
    const struct ses_slice slice = { text, strlen(text) };
    unsigned char bytes[BYTES_MAX + 3];
    forger->len = slice.len * 3 / 4;
    if (forger->len > BYTES_MAX || forger->count == TEXTS_MAX || !base64url_decode(slice, bytes))
        errx(2, "a text of ours is not as expected");
    for (size_t which = 0; which < 2; which++)
        memcpy(forger->texts[which][forger->count], bytes, forger->len);
    forger->count++;
}

/* Beside each stands one that differs from it in every byte of @p span. */
static void make_strangers(struct forger *forger, struct span span)
{
    for (size_t n = 0; n < forger->count; n++) {
        for (size_t i = span.at; i < span.at + span.len; i++)
            forger->texts[1][n][i] ^= (unsigned char)(next_random(&forger->random) | 1);
    }
}

/* One way for both classes, without a branch or an address that depends on which. */
static void forge(void *arg, unsigned which)
{
    struct forger *forger = arg;
    const size_t n = next_random(&forger->random) % forger->count;
    const unsigned char *texts[] = { forger->texts[0][n], forger->texts[1][n] };
    const unsigned char second = (unsigned char)(0u - which);
    uint64_t random = 0;
    for (size_t i = 0; i < forger->len; i++) {
        random = i % 8 == 0 ? next_random(&forger->random) : random >> 8;
        const unsigned one = forger->masks[0][i], two = forger->masks[1][i];
        const unsigned mask = one ^ ((one ^ two) & second);
        const unsigned text = texts[0][i] ^ ((unsigned)(texts[0][i] ^ texts[1][i]) & second);
        forger->bytes[i] = (unsigned char)(text ^ ((random | 1) & mask)); /* never the same */
    }
    base64url_encode(forger->bytes, forger->len, forger->cookie + NAME_BYTES);
    forger->cookie[NAME_BYTES + BASE64URL_LEN(forger->len)] = '\0';
}

static void come(void *arg)
{
    struct forger *forger = arg;
    const struct ses_slice field = { forger->cookie, NAME_BYTES + BASE64URL_LEN(forger->len) };
    const struct ses_request request = {
        .size = sizeof request,
        .cookies = &field,
        .cookie_count = 1,
    };
    must(ses_start(forger->manager, &request, &forger->session), "start");
}

static void leave(void *arg)
{
    struct forger *forger = arg;
    if (is_stored(forger->session))
        errx(1, "a forgery was taken");
    ses_release(forger->session);
    forger->session = NULL;
}

static void check_token(void *arg)
{
    struct forger *forger = arg;
    if (ses_csrf_check(forger->session, forger->cookie + NAME_BYTES) != SES_ERR_DENIED)
        errx(1, "a forged CSRF token was taken");
}

/* ---- comparisons ---- */

static uint64_t tell(const char *name, const struct timing *timing)
{
    double share;
    const double t = timing_t(timing, &share);
    const bool judged = timing->samples >= TIMING_JUDGED;
    const bool found = judged && timing_differs(timing);
    const char *verdict = found ? ": DIFFERS" : "";
    (void)printf("  %-43s |t| %6.2f of the fastest %5.1f %%, %8llu samples, %+.2f ticks%s\n", name,
                 fabs(t), share * 100, (unsigned long long)timing->samples,
                 timing_mean(timing, 1) - timing_mean(timing, 0),
                 judged ? verdict : ": too few to judge");
    (void)fflush(stdout);
    return found;
}

static void choose_spans(struct forger *forger, const struct comparison *comparison)
{
    for (size_t which = 0; which < 2; which++) {
        const struct span span = comparison->spans[which];
        if (span.at + span.len > BYTES_MAX)
            errx(2, "%s: beyond the end", comparison->name);
        memset(forger->masks[which], 0, BYTES_MAX);
        memset(forger->masks[which] + span.at, 0xff, span.len);
    }
}

static void renew(struct forger *forger, const struct trial *trial)
{
    ses_release(forger->session);
    ses_manager_unref(forger->manager);
    forger->session = NULL;
    forger->count = 0;
    trial->renew(forger);
    make_strangers(forger, trial->strange);
}

static time_t now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static uint64_t compare(struct forger *forger, const struct trial *trial,
                        const struct comparison *comparison, uint64_t samples)
{
    const struct timing_subject subject = { forge, trial->run, trial->clear, forger };
    const time_t until = now_s() + SECONDS_MAX;
    struct timing timing = { 0 };
    choose_spans(forger, comparison);
    while (timing.samples < samples && now_s() < until) {
        const uint64_t left = samples - timing.samples;
        renew(forger, trial);
        timing_run(&timing, &subject, left < TIMING_BATCH ? left : TIMING_BATCH);
    }
    return tell(comparison->name, &timing);
}

static uint64_t compare_all(const struct trial *trial, uint64_t samples)
{
    struct forger *forger = calloc(1, sizeof *forger);
    uint64_t findings = 0;
    if (!forger)
        errx(2, "out of memory");
    memcpy(forger->cookie, "id=", NAME_BYTES);
    for (const struct comparison *at = trial->comparisons; at->name; at++)
        findings += compare(forger, trial, at, samples);
    ses_release(forger->session);
    ses_manager_unref(forger->manager);
    free(forger);
    return findings;
}

/* ---- sealed cookies: version 1 | name of the key 4 | nonce 24 | ciphertext | tag 16 ---- */

enum {
    NONCE_AT = 5,
    NONCE_BYTES = 24,
    TEXT_AT = NONCE_AT + NONCE_BYTES,
    TEXT_BYTES = 167,
    TAG_AT = TEXT_AT + TEXT_BYTES,
    TAG_BYTES = 16,
    TOKEN_BYTES = TAG_AT + TAG_BYTES,
    TOKENS = 64
};

static void seal_one(struct forger *forger)
{
    ses_session *session;
    must(ses_open(forger->manager, NULL, &session), "open");
    must(ses_set_text(session, "name", "Ada, Countess of Lovelace"), "set");
    must(ses_set_int(session, "n", 1), "set");
    must(ses_commit(session, NULL), "commit");
    take(forger, ses_session_id(session));
    ses_release(session);
    if (forger->len != TOKEN_BYTES)
        errx(2, "a token of %zu bytes", forger->len);
}

static void renew_tokens(struct forger *forger)
{
    forger->manager = ses_manager_new(
        "cookie",
        "{\"secure\":false,\"sealKeys\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}", NULL,
        NULL);
    if (!forger->manager)
        errx(2, "no manager of sealed sessions");
    for (int i = 0; i < TOKENS; i++)
        seal_one(forger);
}

static void renew_cut_tokens(struct forger *forger)
{
    renew_tokens(forger);
    forger->len = TAG_AT;
}

/* The name of the key is no secret: a token without one of ours is refused sooner. */
uint64_t time_sealed(uint64_t samples)
{
    enum { LAST = TOKEN_BYTES - 1, REST_BYTES = TOKEN_BYTES - NONCE_AT };
    static const struct comparison changed[] = {
        { "tag: first byte, last byte", { { TAG_AT, 1 }, { LAST, 1 } } },
        { "ciphertext: first byte, last byte", { { TEXT_AT, 1 }, { TAG_AT - 1, 1 } } },
        { "ciphertext's first byte, tag's last", { { TEXT_AT, 1 }, { LAST, 1 } } },
        { "nonce's first byte, tag's last", { { NONCE_AT, 1 }, { LAST, 1 } } },
        { "all of the nonce, all of the tag",
          { { NONCE_AT, NONCE_BYTES }, { TAG_AT, TAG_BYTES } } },
        { "nonce, text and tag, the tag alone",
          { { NONCE_AT, REST_BYTES }, { TAG_AT, TAG_BYTES } } },
        { NULL, { { 0 } } },
    };
    static const struct comparison cut[] = {
        { "without its tag: all made up, its end",
          { { NONCE_AT, TAG_AT - NONCE_AT }, { TAG_AT - TAG_BYTES, TAG_BYTES } } },
        { NULL, { { 0 } } },
    };
    const struct trial trials[] = {
        { renew_tokens, { 0 }, come, leave, changed },
        { renew_cut_tokens, { 0 }, come, leave, cut },
    };
    return compare_all(&trials[0], samples) + compare_all(&trials[1], samples);
}

/* ---- ids: version 1 | random bytes 32, and 8 of a check with "idKey" ---- */

enum { RANDOM_AT = 1, RANDOM_BYTES = 32, CHECK_AT = 33, CHECK_BYTES = 8 };

static void take_ids(struct forger *forger, const char *json)
{
    forger->manager = manager_with(json, NULL);
    for (int i = 0; i < TEXTS_MAX; i++) {
        char id[256];
        new_session(forger->manager, id);
        take(forger, id);
    }
}

static void renew_ids(struct forger *forger)
{
    take_ids(forger, "{\"secure\":false}");
}

static void renew_vouched_ids(struct forger *forger)
{
    take_ids(forger, "{\"secure\":false,\"idKey\":\"a secret of thirty-two characters\"}");
}

uint64_t time_ids(uint64_t samples)
{
    static const struct comparison comparisons[] = {
        { "1 byte of 32 as in an id, as in none", { { 2, 31 }, { 2, 31 } } },
        { "8 bytes of 32 as in an id, as in none", { { 9, 24 }, { 9, 24 } } },
        { "16 bytes of 32 as in an id, as in none", { { 17, 16 }, { 17, 16 } } },
        { "24 bytes of 32 as in an id, as in none", { { 25, 8 }, { 25, 8 } } },
        { "31 bytes of 32 as in an id, as in none", { { 32, 1 }, { 32, 1 } } },
        { NULL, { { 0 } } },
    };
    const struct trial trial = { renew_ids, { RANDOM_AT, RANDOM_BYTES }, come, leave, comparisons };
    return compare_all(&trial, samples);
}

uint64_t time_checks(uint64_t samples)
{
    static const struct comparison checks[] = {
        { "1 byte of 8 right, none", { { 34, 7 }, { 34, 7 } } },
        { "4 bytes of 8 right, none", { { 37, 4 }, { 37, 4 } } },
        { "7 bytes of 8 right, none", { { 40, 1 }, { 40, 1 } } },
        { NULL, { { 0 } } },
    };
    static const struct comparison ids[] = {
        { "as in an id but for its check, as in none",
          { { CHECK_AT, CHECK_BYTES }, { CHECK_AT, CHECK_BYTES } } },
        { NULL, { { 0 } } },
    };
    const struct trial trials[] = {
        { renew_vouched_ids, { CHECK_AT, CHECK_BYTES }, come, leave, checks },
        { renew_vouched_ids, { RANDOM_AT, RANDOM_BYTES }, come, leave, ids },
    };
    return compare_all(&trials[0], samples) + compare_all(&trials[1], samples);
}

/* ---- CSRF tokens: mask 16 | masked secret 16 ---- */

enum { SECRET_AT = 16, SECRET_BYTES = 16 };

static void renew_csrf_tokens(struct forger *forger)
{
    forger->manager = manager_with("{\"secure\":false}", NULL);
    must(ses_open(forger->manager, NULL, &forger->session), "open");
    for (int i = 0; i < TEXTS_MAX; i++) {
        struct ses_csrf_token token;
        must(ses_csrf_token(forger->session, &token), "token");
        take(forger, token.text);
    }
}

uint64_t time_csrf(uint64_t samples)
{
    static const struct comparison comparisons[] = {
        { "1 byte of 16 right, none", { { 17, 15 }, { 17, 15 } } },
        { "8 bytes of 16 right, none", { { 24, 8 }, { 24, 8 } } },
        { "15 bytes of 16 right, none", { { 31, 1 }, { 31, 1 } } },
        { NULL, { { 0 } } },
    };
    const struct trial trial = {
        renew_csrf_tokens, { SECRET_AT, SECRET_BYTES }, check_token, NULL, comparisons
    };
    return compare_all(&trial, samples);
}
