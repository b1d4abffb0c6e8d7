/* SPDX-License-Identifier: MIT */
#include "support/logins.h"

#include <sesame/login.h>

#include <stdio.h>

/* ---- requests and responses ---- */

int guest_try(struct scene *scene, const struct guest *guest, ses_session **ret_session)
{
    struct ses_slice fields[2];
    size_t count = 0;
    if (guest->session[0] != '\0')
        fields[count++] = (struct ses_slice){ guest->session, strlen(guest->session) };
    if (guest->token[0] != '\0')
        fields[count++] = (struct ses_slice){ guest->token, strlen(guest->token) };
    struct ses_request request = {
        .cookies = fields,
        .cookie_count = count,
        .peer = "192.0.2.7",
        .user_agent = "test/1.0",
    };
    return scene_try(scene, &request, ret_session);
}

ses_session *guest_visit(struct scene *scene, const struct guest *guest)
{
    ses_session *session = NULL;
    assert_ok(guest_try(scene, guest, &session));
    return session;
}

void guest_take(struct guest *guest, const struct ses_headers *headers)
{
    const char *field;
    for (size_t i = 0; (field = header_value(headers, "Set-Cookie", i)); i++) {
        const char *name_end = strchr(field, '=');
        assert_non_null(name_end);
        const bool token = (size_t)(name_end - field) > strlen("-remember") &&
                           strncmp(name_end - strlen("-remember"), "-remember", 9) == 0;
        char *kept = token ? guest->token : guest->session;
        if (strstr(field, "Max-Age=0"))
            kept[0] = '\0';
        else
            (void)snprintf(kept, COOKIE_TEXT_MAX, "%.*s", (int)strcspn(field, ";"), field);
    }
}

const struct ses_headers *guest_commit(ses_session *session, struct guest *guest)
{
    const struct ses_headers *headers = NULL;
    assert_ok(ses_commit(session, &headers));
    assert_non_null(headers);
    if (guest)
        guest_take(guest, headers);
    return headers;
}

void guest_finish(ses_session *session, struct guest *guest)
{
    (void)guest_commit(session, guest);
    ses_release(session);
}

const char *set_cookie_of(const struct ses_headers *headers, const char *name)
{
    const size_t len = strlen(name);
    const char *field;
    for (size_t i = 0; (field = header_value(headers, "Set-Cookie", i)); i++) {
        if (strncmp(field, name, len) == 0 && field[len] == '=')
            return field;
    }
    return NULL;
}

struct guest guest_anonymous(struct scene *scene, int64_t n)
{
    struct guest guest = { "", "" };
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_set_int(session, "n", n));
    guest_finish(session, &guest);
    assert_true(guest.session[0] != '\0');
    return guest;
}

struct guest guest_of(struct scene *scene, const char *user, unsigned flags)
{
    struct guest guest = { "", "" };
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_login(session, user, SES_LEVEL_FULL, flags));
    guest_finish(session, &guest);
    assert_true(guest.session[0] != '\0');
    return guest;
}

/* ---- who is it? ---- */

struct ses_info info_of_session(ses_session *session)
{
    struct ses_info info = { .size = sizeof info };
    assert_ok(ses_info(session, &info));
    return info;
}

struct ses_info guest_info(struct scene *scene, const struct guest *guest,
                           ses_session **ret_session)
{
    *ret_session = guest_visit(scene, guest);
    return info_of_session(*ret_session);
}

bool is_user(ses_session *session, const char *user)
{
    const struct ses_info info = info_of_session(session);
    if (!user || !info.user)
        return !user && !info.user && info.level == SES_LEVEL_NONE;
    return strcmp(info.user, user) == 0 && info.level > SES_LEVEL_NONE;
}

/* The session only: no token is redeemed by looking. */
bool guest_is(struct scene *scene, const struct guest *guest, const char *user)
{
    struct guest bare = *guest;
    bare.token[0] = '\0';
    ses_session *session = guest_visit(scene, &bare);
    const bool is = is_user(session, user);
    ses_release(session);
    return is;
}

/* ---- lists ---- */

static void keep_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text ? text : "");
}

static int keep_line(void *arg, const struct ses_info *info)
{
    struct listing *listing = arg;
    assert_true(listing->count < LINES_MAX);
    struct line *line = &listing->lines[listing->count++];
    line->info = *info;
    keep_text(line->user, sizeof line->user, info->user);
    keep_text(line->peer, sizeof line->peer, info->peer);
    keep_text(line->user_agent, sizeof line->user_agent, info->user_agent);
    line->info.user = line->info.peer = line->info.user_agent = NULL;
    listing->remembered += info->remembered;
    return 0;
}

struct listing list_of(struct scene *scene, const char *user)
{
    struct listing listing = { .count = 0 };
    assert_ok(ses_list(scene->manager, user, keep_line, &listing));
    return listing;
}

size_t listed_count(struct scene *scene, const char *user)
{
    return list_of(scene, user).count;
}
