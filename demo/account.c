/* SPDX-License-Identifier: MIT */
#include "account.h"

#include "account_views.h"
#include "answers.h"
#include "devices.h"
#include "flash.h"
#include "form.h"
#include "visitor.h"

#include <stdlib.h>
#include <string.h>

static char *field_of(const struct exchange *x, const char *name)
{
    return form_field(x->body, x->body_len, name);
}

/* What is to be said goes along with the change, and is read by the page that follows. */
static int redirect_with(struct exchange *x, const char *path, const char *flash)
{
    int r = flash_set(x->session, flash);
    return r == SES_OK ? answer_redirect(x, path) : r;
}

/* ---- the devices ---- */

static int show_devices(struct exchange *x)
{
    struct devices devices = { 0 };
    int r = flash_take(x);
    if (r == SES_OK)
        r = ses_commit(x->session, NULL); /* first, so that this device is seen just now */
    if (r == SES_OK)
        r = devices_list(x->site->manager, x->session, &devices);
    if (r == SES_OK)
        r = view_devices(x, &devices);
    devices_free(&devices);
    return r;
}

int account_show_devices(struct exchange *x)
{
    return visitor_guard(x, 0, "/devices", show_devices);
}

static bool is_own_handle(ses_session *session, const char *handle)
{
    struct ses_info info = { .size = sizeof info };
    return ses_info(session, &info) == SES_OK && strcmp(info.handle, handle) == 0;
}

static int end_device_of(struct exchange *x, const char *handle)
{
    if (is_own_handle(x->session, handle)) {
        int left = visitor_log_out(x);
        return left == SES_OK ? answer_redirect(x, "/") : left;
    }
    int r = ses_end(x->site->manager, visitor_name(x->session), handle);
    if (r == SES_ERR_NOT_FOUND || r == SES_ERR_INVALID)
        return exchange_fail(x, MHD_HTTP_NOT_FOUND,
                             "You have no such device: it is logged out already, or never was "
                             "yours.");
    return r == SES_OK ? redirect_with(x, "/devices", "That device is logged out.") : r;
}

static int end_device(struct exchange *x)
{
    char *handle = field_of(x, "handle");
    int r = handle ? end_device_of(x, handle) : SES_ERR_NO_MEMORY;
    free(handle);
    return r;
}

int account_end_device(struct exchange *x)
{
    return visitor_guard(x, 0, "/devices", end_device);
}

static int end_others(struct exchange *x)
{
    int r = ses_end_user(x->site->manager, visitor_name(x->session), x->session);
    return r == SES_OK ? redirect_with(x, "/devices", "You are logged out everywhere else.") : r;
}

int account_end_others(struct exchange *x)
{
    return visitor_guard(x, 0, "/devices", end_others);
}

/* ---- the e-mail address: asks for a fresh log-in ---- */

static int show_email(struct exchange *x)
{
    int r = flash_take(x);
    return r == SES_OK ? view_email(x, MHD_HTTP_OK, NULL) : r;
}

int account_show_email(struct exchange *x)
{
    return visitor_guard(x, x->site->fresh_s, "/account/email", show_email);
}

/* Whether it can be reached only a mail would show. */
static bool looks_like_email(const char *text)
{
    const char *at = strrchr(text, '@');
    return at && at > text && at[1] != '\0' && !strpbrk(text, " \t\r\n") &&
           !text_is_longer(text, EMAIL_MAX_LETTERS);
}

static int save_email_of(struct exchange *x, const char *email)
{
    if (!looks_like_email(email))
        return view_email(x, MHD_HTTP_BAD_REQUEST, "That is no e-mail address.");
    int r = ses_set_text(x->session, EMAIL_KEY, email);
    if (r == SES_ERR_INVALID)
        return view_email(x, MHD_HTTP_BAD_REQUEST, "That is not UTF-8.");
    return r == SES_OK ? redirect_with(x, "/account/email", "Saved.") : r;
}

static int save_email(struct exchange *x)
{
    char *email = field_of(x, "email");
    int r = email ? save_email_of(x, email) : SES_ERR_NO_MEMORY;
    free(email);
    return r;
}

int account_save_email(struct exchange *x)
{
    return visitor_guard(x, x->site->fresh_s, "/account/email", save_email);
}

/* ---- the confirmation ---- */

/* Where to go then: a page of ours, whatever has been asked for. */
static const char *way_back(const char *wanted)
{
    static const char *const pages[] = { "/", "/devices", "/account/email" };
    for (size_t i = 1; wanted && i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(wanted, pages[i]) == 0)
            return pages[i];
    }
    return pages[0];
}

int account_ask(struct exchange *x)
{
    const char *wanted = MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, "to");
    const char *name = visitor_name(x->session);
    return name ? view_confirm(x, name, way_back(wanted)) : answer_redirect(x, "/");
}

int account_confirm(struct exchange *x)
{
    char *wanted = field_of(x, "to");
    const char *back = way_back(wanted);
    free(wanted);
    int r = ses_elevate(x->session, SES_LEVEL_FULL);
    if (r == SES_ERR_NOT_FOUND) /* nobody is logged in any more */
        return answer_redirect(x, "/");
    return r == SES_OK ? answer_redirect(x, back) : r;
}
