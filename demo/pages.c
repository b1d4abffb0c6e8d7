/* SPDX-License-Identifier: MIT */
/* The site: what its addresses do. What it looks like is in views.c and style.css. */
#include "account.h"
#include "answers.h"
#include "assets.h"
#include "flash.h"
#include "form.h"
#include "views.h"
#include "visitor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* ---- the start page ---- */

static int show_session(struct exchange *x)
{
    int r = flash_take(x);
    if (r == SES_OK)
        r = ses_increment(x->session, "visits", 1);
    if (r == SES_ERR_WRONG_TYPE) /* a tinkerer has set it to a text: the page works all the same */
        r = SES_OK;
    if (r == SES_OK)
        r = ses_commit(x->session, NULL);
    if (r != SES_OK)
        return r;
    const char *name = visitor_name(x->session);
    return name ? view_session(x, name) : answer_redirect(x, "/");
}

static int show_start(struct exchange *x)
{
    if (visitor_is_in(x->session))
        return show_session(x);
    const char *name = visitor_name(x->session);
    return name ? view_greeting(x, name) : view_welcome(x, MHD_HTTP_OK, NULL);
}

static int show_style(struct exchange *x)
{
    return answer_asset(x, "text/css; charset=utf-8", asset_style, asset_style_len);
}

static int show_seed(struct exchange *x)
{
    return answer_asset(x, "image/svg+xml", asset_seed, asset_seed_len);
}

/* ---- forms ---- */

static char *field_of(const struct exchange *x, const char *name)
{
    return form_field(x->body, x->body_len, name);
}

static int log_in_as(struct exchange *x, const char *name)
{
    char *box = form_value(x->body, x->body_len, "remember");
    const bool remember = box != NULL;
    free(box);
    if (!visitor_name_fits(name))
        return view_welcome(x, MHD_HTTP_BAD_REQUEST, "A name has 1 to 60 letters.");
    int r = visitor_log_in(x, name, remember);
    if (r == SES_ERR_INVALID)
        return view_welcome(x, MHD_HTTP_BAD_REQUEST,
                            "This name is not UTF-8, or holds more than letters.");
    return r == SES_OK ? answer_redirect(x, "/") : r;
}

static int log_in(struct exchange *x)
{
    char *name = field_of(x, "name");
    int r = name ? log_in_as(x, name) : SES_ERR_NO_MEMORY;
    free(name);
    return r;
}

static int log_out(struct exchange *x)
{
    int r = visitor_log_out(x);
    return r == SES_OK ? answer_redirect(x, "/") : r;
}

/* In the order of time: equally long digits. What follows parts notes of one microsecond. */
static int make_note_key(char *key, size_t size)
{
    struct timespec now;
    uint32_t parting;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        getrandom(&parting, sizeof parting, 0) != sizeof parting)
        return SES_ERR_NO_RANDOMNESS;
    const int64_t us = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
    (void)snprintf(key, size, NOTE_PREFIX "%016" PRId64 "-%08" PRIx32, us, parting);
    return SES_OK;
}

static int add_note_of(struct exchange *x, const char *text)
{
    char key[64];
    if (*text == '\0')
        return answer_redirect(x, "/");
    if (text_is_longer(text, NOTE_MAX_LETTERS))
        return exchange_fail(x, MHD_HTTP_CONTENT_TOO_LARGE, "A note has at most 500 letters.");
    int r = make_note_key(key, sizeof key);
    if (r == SES_OK)
        r = ses_set_text(x->session, key, text);
    return r == SES_OK ? answer_redirect(x, "/") : r;
}

static int read_note(struct exchange *x)
{
    char *text = field_of(x, "text");
    int r = text ? add_note_of(x, text) : SES_ERR_NO_MEMORY;
    free(text);
    return r;
}

static int add_note(struct exchange *x)
{
    return visitor_guard(x, 0, "/", read_note);
}

static int forget_note(struct exchange *x)
{
    char *key = field_of(x, "key");
    int r = key ? SES_OK : SES_ERR_NO_MEMORY;
    if (key && strncmp(key, NOTE_PREFIX, strlen(NOTE_PREFIX)) == 0)
        r = ses_delete(x->session, key);
    free(key);
    return r == SES_OK ? answer_redirect(x, "/") : r;
}

static int delete_note(struct exchange *x)
{
    return visitor_guard(x, 0, "/", forget_note);
}

/* ---- the table ---- */

/* A session that another request of this visitor has ended, or given a new id: start over. The
 * next request comes with the cookie that is right by then. */
static int fail(struct exchange *x, const struct failure *failure)
{
    return failure->code == SES_ERR_GONE ? answer_redirect(x, "/") : view_failure(x, failure);
}

static int check_token(struct exchange *x)
{
    char *token = form_value(x->body, x->body_len, "csrf");
    int r = ses_csrf_check(x->session, token);
    free(token);
    return r;
}

static const struct route routes[] = {
    { "GET", "/", show_start, 0 },
    { "GET", "/style.css", show_style, ROUTE_SESSIONLESS },
    { "GET", "/seed.svg", show_seed, ROUTE_SESSIONLESS },
    { "POST", "/login", log_in, 0 },
    { "POST", "/logout", log_out, ROUTE_LOGOUT },
    { "POST", "/notes", add_note, 0 },
    { "POST", "/notes/delete", delete_note, 0 },
    { "GET", "/devices", account_show_devices, 0 },
    { "POST", "/devices/end", account_end_device, 0 },
    { "POST", "/devices/end-others", account_end_others, 0 },
    { "GET", "/account/email", account_show_email, 0 },
    { "POST", "/account/email", account_save_email, 0 },
    { "GET", "/account/confirm", account_ask, 0 },
    { "POST", "/account/confirm", account_confirm, 0 },
};

const struct face pages_face = {
    .routes = routes,
    .count = sizeof routes / sizeof routes[0],
    .check_token = check_token,
    .bad_token = "This form is too old, or does not come from this site. Nothing was changed: go "
                 "back, reload the page, and send it again.",
    .fail = fail,
};
