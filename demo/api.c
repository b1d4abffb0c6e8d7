/* SPDX-License-Identifier: MIT */
/*
 * The JSON interface, for tests and tinkerers. Each call acts on the caller's own session:
 *
 *   GET    /api/session              {"new":…,"user":…,"level":…,"csrf":…,"data":{…},
 *                                    "created_ms":…,"expires_ms":…}
 *   PUT    /api/session/KEY          the body is the text
 *   DELETE /api/session/KEY
 *   POST   /api/increment/KEY[?by=N] answers the new value
 *   POST   /api/take/KEY             answers the value, which is gone then
 *   POST   /api/login?user=NAME, /api/logout, /api/regenerate
 *   GET    /api/count                {"count":…}, of all sessions
 *
 * KEY is percent-encoded. Once there is a session, each call but GET carries its "csrf" in the
 * header X-CSRF-Token; a log-in changes it. "level" is that of enum ses_level. In "data" a text,
 * integer, double, boolean and null are what they are in JSON; bytes are {"bytes":"00ff"} and
 * nested values {"cbor":"8101"}, in hexadecimal. A double that JSON cannot write is null.
 */
#include "answers.h"
#include "form.h"
#include "visitor.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON ---- */

/* Takes the reference, which may be NULL. */
static int answer_json(struct exchange *x, unsigned status, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return answer_bytes(x, status, "application/json", text, text ? strlen(text) : 0);
}

static int answer_done(struct exchange *x)
{
    return answer_json(x, MHD_HTTP_OK, json_pack("{s:b}", "ok", 1));
}

static int fail(struct exchange *x, const struct failure *failure)
{
    return answer_json(x, failure->status, json_pack("{s:s}", "error", failure->sentence));
}

static json_t *hex_of(struct ses_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(bytes.len * 2 + 1);
    if (!text)
        return NULL;
    for (size_t i = 0; i < bytes.len; i++) {
        const unsigned char byte = ((const unsigned char *)bytes.data)[i];
        text[2 * i] = digits[byte >> 4];
        text[2 * i + 1] = digits[byte & 15];
    }
    json_t *hex = json_stringn(text, bytes.len * 2);
    free(text);
    return hex;
}

static json_t *json_of(const struct ses_value *value)
{
    json_t *number;
    switch (value->type) {
    case SES_TYPE_BOOL:
        return json_boolean(value->boolean);
    case SES_TYPE_INT:
        return json_integer(value->integer);
    case SES_TYPE_DOUBLE:
        number = json_real(value->number);
        return number ? number : json_null();
    case SES_TYPE_TEXT:
        return json_stringn(value->bytes.len > 0 ? value->bytes.data : "", value->bytes.len);
    case SES_TYPE_BYTES:
        return json_pack("{s:o}", "bytes", hex_of(value->bytes));
    case SES_TYPE_OTHER:
        return json_pack("{s:o}", "cbor", hex_of(value->bytes));
    default:
        return json_null();
    }
}

/* ---- reading ---- */

static int add_value(void *data, const char *key, const struct ses_value *value)
{
    return json_object_set_new(data, key, json_of(value)) == 0 ? SES_OK : SES_ERR_NO_MEMORY;
}

static int make_data(ses_session *session, json_t **ret_data)
{
    json_t *data = json_object();
    int r = data ? ses_each(session, add_value, data) : SES_ERR_NO_MEMORY;
    if (r == SES_OK)
        *ret_data = data;
    else
        json_decref(data);
    return r;
}

/* Takes the reference of data. */
static json_t *describe(const struct ses_info *info, const char *token, json_t *data)
{
    return json_pack("{s:b, s:s?, s:i, s:s?, s:o, s:I, s:I}", "new", info->is_new, "user",
                     info->user, "level", info->level, "csrf", *token ? token : NULL, "data", data,
                     "created_ms", (json_int_t)info->created_ms, "expires_ms",
                     (json_int_t)info->expires_ms);
}

static int get_session(struct exchange *x)
{
    struct ses_csrf_token token = { "" };
    struct ses_info info = { .size = sizeof info };
    json_t *data = NULL;
    /* First, because it may move the expiry. */
    int r = ses_commit(x->session, NULL);
    if (r == SES_OK)
        r = ses_info(x->session, &info);
    if (r == SES_OK && visitor_has_session(x->session))
        r = ses_csrf_token(x->session, &token);
    if (r == SES_OK)
        r = make_data(x->session, &data);
    return r == SES_OK ? answer_json(x, MHD_HTTP_OK, describe(&info, token.text, data)) : r;
}

static int get_count(struct exchange *x)
{
    uint64_t count;
    int r = ses_count(x->site->manager, &count);
    return r == SES_OK ? answer_json(x, MHD_HTTP_OK, json_pack("{s:I}", "count", (json_int_t)count))
                       : r;
}

/* ---- changing ---- */

static int put_value(struct exchange *x)
{
    if (memchr(x->body, '\0', x->body_len))
        return exchange_fail(x, MHD_HTTP_BAD_REQUEST, "The value holds a NUL.");
    int r = ses_set_text(x->session, x->key, x->body);
    return r == SES_OK ? answer_done(x) : r;
}

static int delete_value(struct exchange *x)
{
    int r = ses_delete(x->session, x->key);
    return r == SES_OK ? answer_done(x) : r;
}

static int answer_int(struct exchange *x, int64_t number)
{
    char *text;
    const int len = asprintf(&text, "%" PRId64, number);
    return len < 0 ? SES_ERR_NO_MEMORY
                   : answer_bytes(x, MHD_HTTP_OK, "text/plain; charset=utf-8", text, (size_t)len);
}

static bool parse_step(const char *text, int64_t *ret_step)
{
    char *end;
    errno = 0;
    *ret_step = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && strchr("-0123456789", *text);
}

/* An argument of the address, decoded: "" when it is there without a value, or not decodable; NULL
 * when it is not there. SES_ERR_NO_MEMORY: for once, not even that could be told. */
static int read_argument(const struct exchange *x, const char *name, char **ret_text)
{
    const char *given = MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
    *ret_text = given ? strdup(given) : NULL;
    if (*ret_text && !url_decode(*ret_text))
        **ret_text = '\0';
    return given && !*ret_text ? SES_ERR_NO_MEMORY : SES_OK;
}

/* 1 when it is not given. */
static int read_step(const struct exchange *x, int64_t *ret_step)
{
    char *by;
    int r = read_argument(x, "by", &by);
    *ret_step = 1;
    if (r == SES_OK && by && !parse_step(by, ret_step))
        r = SES_ERR_INVALID;
    free(by);
    return r;
}

/* The library's code for it is that of all that is too large. Asked of what is stored now: others
 * may have added meanwhile. */
static bool overflows(struct exchange *x, int64_t step)
{
    ses_session *stored;
    int64_t value, sum;
    if (ses_open(x->site->manager, ses_session_id(x->session), &stored) != SES_OK)
        return false;
    const bool over =
        ses_get_int(stored, x->key, &value) == SES_OK && __builtin_add_overflow(value, step, &sum);
    ses_release(stored);
    return over;
}

static int add_step(struct exchange *x, int64_t step)
{
    int64_t value = 0;
    int r = ses_increment(x->session, x->key, step);
    /* What others added in the meantime is known after the commit only. */
    if (r == SES_OK)
        r = ses_commit(x->session, NULL);
    if (r == SES_OK)
        r = ses_get_int(x->session, x->key, &value);
    if (r == SES_ERR_TOO_LARGE && overflows(x, step))
        x->known =
            (struct failure){ r, MHD_HTTP_CONFLICT,
                              "The sum would need more than 64 bits; the value is as it was." };
    return r == SES_OK ? answer_int(x, value) : r;
}

static int increment(struct exchange *x)
{
    int64_t step;
    int r = read_step(x, &step);
    if (r == SES_ERR_INVALID)
        return exchange_fail(x, MHD_HTTP_BAD_REQUEST,
                             "The step \"by\" is a whole number of 64 bits.");
    return r == SES_OK ? add_step(x, step) : r;
}

static int answer_slice(struct exchange *x, const char *type, struct ses_slice bytes)
{
    char *copy = malloc(bytes.len + 1); /* never NULL for want of bytes */
    if (copy && bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    return answer_bytes(x, MHD_HTTP_OK, type, copy, bytes.len);
}

/* A text is answered as it is, so are bytes; anything else as in "data". */
static int take(struct exchange *x)
{
    struct ses_value value;
    int r = ses_take(x->session, x->key, &value);
    if (r != SES_OK)
        return r;
    if (value.type == SES_TYPE_TEXT)
        return answer_slice(x, "text/plain; charset=utf-8", value.bytes);
    if (value.type == SES_TYPE_BYTES)
        return answer_slice(x, "application/octet-stream", value.bytes);
    char *text = NULL;
    json_t *json = json_of(&value);
    if (json)
        text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);
    return answer_bytes(x, MHD_HTTP_OK, "application/json", text, text ? strlen(text) : 0);
}

/* ---- log-in and log-out ---- */

static int log_in_as(struct exchange *x, const char *name)
{
    if (*name == '\0')
        return exchange_fail(x, MHD_HTTP_BAD_REQUEST, "Who logs in? Say ?user=NAME.");
    if (!visitor_name_fits(name))
        return exchange_fail(x, MHD_HTTP_BAD_REQUEST,
                             "A name has 1 to 60 letters, and no blanks at its ends.");
    int r = visitor_log_in(x, name, false);
    return r == SES_OK ? answer_json(x, MHD_HTTP_OK, json_pack("{s:s}", "user", name)) : r;
}

static int log_in(struct exchange *x)
{
    char *name;
    int r = read_argument(x, "user", &name);
    if (r == SES_OK)
        r = log_in_as(x, name ? name : "");
    free(name);
    return r;
}

static int log_out(struct exchange *x)
{
    int r = visitor_log_out(x);
    return r == SES_OK ? answer_done(x) : r;
}

static int regenerate(struct exchange *x)
{
    int r = ses_regenerate(x->session);
    return r == SES_OK ? answer_done(x) : r;
}

/* ---- the table ---- */

static int check_token(struct exchange *x)
{
    return ses_csrf_check(
        x->session, MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "X-CSRF-Token"));
}

static const struct route routes[] = {
    { "GET", "/api/session", get_session, 0 },
    { "PUT", "/api/session/", put_value, ROUTE_KEY },
    { "DELETE", "/api/session/", delete_value, ROUTE_KEY },
    { "POST", "/api/increment/", increment, ROUTE_KEY },
    { "POST", "/api/take/", take, ROUTE_KEY },
    { "POST", "/api/login", log_in, 0 },
    { "POST", "/api/logout", log_out, ROUTE_LOGOUT },
    { "POST", "/api/regenerate", regenerate, 0 },
    { "GET", "/api/count", get_count, ROUTE_SESSIONLESS },
};

const struct face api_face = {
    .routes = routes,
    .count = sizeof routes / sizeof routes[0],
    .check_token = check_token,
    .bad_token = "The header X-CSRF-Token is missing or not of this session; GET /api/session has "
                 "what belongs in it.",
    .fail = fail,
};
