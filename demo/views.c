/* SPDX-License-Identifier: MIT */
#include "views.h"

#include "html.h"
#include "visitor.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* ---- nobody is logged in ---- */

static void write_login_form(struct html *html, bool complains)
{
    html_form(html, "/login", "row");
    (void)fprintf(html->out,
                  "<label for=\"name\">Your name</label>\n"
                  "<input id=\"name\" name=\"name\" required maxlength=\"%d\" "
                  "autocomplete=\"nickname\" autofocus%s>\n",
                  NAME_MAX_LETTERS,
                  complains ? " aria-invalid=\"true\" aria-describedby=\"complaint\"" : "");
    (void)fputs("<button>Log in</button>\n"
                "<label class=\"box\"><input type=\"checkbox\" name=\"remember\" value=\"yes\"> "
                "Remember me in this browser</label>\n"
                "</form>\n",
                html->out);
}

int view_welcome(struct exchange *x, unsigned status, const char *complaint)
{
    struct html html;
    int r = html_begin(&html, x, "Log in");
    if (r != SES_OK)
        return r;
    (void)fputs("<section class=\"card\">\n<h1>Open sesame</h1>\n"
                "<p>Say any name to begin a session. No password: this is a demo.</p>\n",
                html.out);
    write_login_form(&html, complaint != NULL);
    if (complaint) {
        (void)fputs("<p class=\"complaint\" id=\"complaint\" role=\"alert\">", html.out);
        html_text(&html, complaint);
        (void)fputs("</p>\n", html.out);
    }
    (void)fputs("<p class=\"aside\">Until then nothing is stored about you, and there is no "
                "cookie.</p>\n</section>\n",
                html.out);
    return html_answer(&html, x, status);
}

/* ---- somebody is remembered ---- */

int view_greeting(struct exchange *x, const char *name)
{
    struct html html;
    int r = html_begin(&html, x, "Welcome back");
    if (r != SES_OK)
        return r;
    (void)fputs("<section class=\"card\">\n<h1>Welcome back, <span id=\"user\">", html.out);
    html_text(&html, name);
    (void)fputs("</span></h1>\n<p>This browser is remembered, which is good for a greeting. To see "
                "what is yours, show that it is you.</p>\n<div class=\"buttons\">",
                html.out);
    html_form(&html, "/account/confirm", NULL);
    (void)fputs("<button>It is me</button></form>\n", html.out);
    html_form(&html, "/logout", NULL);
    (void)fputs("<button class=\"quiet\">It is somebody else</button></form></div>\n</section>\n",
                html.out);
    return html_answer(&html, x, MHD_HTTP_OK);
}

/* ---- the session ---- */

/* "in 30 minutes" */
static void write_distance(struct html *html, int64_t distance_ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {
        { 86400000, "day" }, { 3600000, "hour" }, { 60000, "minute" }, { 1000, "second" }
    };
    size_t i = 0;
    while (i < 3 && distance_ms < 2 * units[i].ms)
        i++;
    const int64_t count = (distance_ms + units[i].ms / 2) / units[i].ms;
    (void)fprintf(html->out, "in %" PRId64 " %s%s", count, units[i].name, count == 1 ? "" : "s");
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void write_facts(struct html *html, ses_session *session)
{
    int64_t visits = 0;
    struct ses_info info = { .size = sizeof info };
    (void)ses_get_int(session, "visits", &visits); /* 0 stays if it has become a text by the API */
    if (ses_info(session, &info) != SES_OK)
        return;
    (void)fprintf(html->out,
                  "<dl>\n<div><dt>Visits</dt><dd id=\"visits\">%" PRId64 "</dd></div>\n"
                  "<div><dt>Began</dt><dd>",
                  visits);
    html_time(html, info.created_ms);
    (void)fputs("</dd></div>\n<div><dt>Ends</dt><dd>", html->out);
    html_time(html, info.expires_ms);
    (void)fputs("<small>", html->out);
    write_distance(html, info.expires_ms - now_ms());
    (void)fputs(" if you stay away</small></dd></div>\n</dl>\n", html->out);
}

static void write_session(struct html *html, ses_session *session, const char *name)
{
    (void)fputs("<section class=\"card\">\n<div class=\"title\"><h1>Hello, <span id=\"user\">",
                html->out);
    html_text(html, name);
    (void)fputs("</span></h1>\n", html->out);
    html_form(html, "/logout", NULL);
    (void)fputs("<button class=\"quiet\">Log out</button></form></div>\n", html->out);
    write_facts(html, session);
    (void)fputs("</section>\n", html->out);
}

/* ---- notes ---- */

struct notes {
    struct html *html;
    int count;
};

static int write_note(void *arg, const char *key, const struct ses_value *value)
{
    struct notes *notes = arg;
    if (strncmp(key, NOTE_PREFIX, strlen(NOTE_PREFIX)) != 0 || value->type != SES_TYPE_TEXT)
        return 0;
    FILE *out = notes->html->out;
    (void)fputs(notes->count++ == 0 ? "<ul class=\"notes\">\n<li><p>" : "<li><p>", out);
    html_slice(notes->html, value->bytes);
    (void)fputs("</p>\n", out);
    html_form(notes->html, "/notes/delete", NULL);
    html_hidden(notes->html, "key", key);
    (void)fputs("<button class=\"quiet\" aria-label=\"Delete the note: ", out);
    html_slice(notes->html, value->bytes);
    (void)fputs("\">Delete</button></form></li>\n", out);
    return 0;
}

static int write_notes(struct html *html, ses_session *session)
{
    struct notes notes = { html, 0 };
    (void)fputs("<section class=\"card\">\n<h2>Notes</h2>\n", html->out);
    int r = ses_each(session, write_note, &notes);
    (void)fputs(notes.count > 0 ? "</ul>\n" : "<p class=\"aside\">None yet.</p>\n", html->out);
    html_form(html, "/notes", "row");
    (void)fprintf(html->out,
                  "<label for=\"text\">A new note</label>\n"
                  "<input id=\"text\" name=\"text\" required maxlength=\"%d\" "
                  "autocomplete=\"off\">\n"
                  "<button>Add</button>\n</form>\n</section>\n",
                  NOTE_MAX_LETTERS);
    return r;
}

int view_session(struct exchange *x, const char *name)
{
    struct html html;
    int r = html_begin(&html, x, "Your session");
    if (r != SES_OK)
        return r;
    write_session(&html, x->session, name);
    r = write_notes(&html, x->session);
    int answered = html_answer(&html, x, MHD_HTTP_OK);
    return r == SES_OK ? answered : r;
}

/* ---- errors ---- */

int view_failure(struct exchange *x, const struct failure *failure)
{
    struct html html;
    int r = html_begin(&html, x, "Sorry");
    if (r != SES_OK)
        return r;
    (void)fprintf(html.out, "<section class=\"card\">\n<h1>Sorry <small>%u</small></h1>\n<p>",
                  failure->status);
    html_text(&html, failure->sentence);
    (void)fputs("</p>\n<p><a href=\"/\">Back to the start</a></p>\n</section>\n", html.out);
    return html_answer(&html, x, failure->status);
}
