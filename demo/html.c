/* SPDX-License-Identifier: MIT */
#include "html.h"

#include "answers.h"
#include "visitor.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- what every page shows ---- */

static void write_head(struct html *html, const char *title)
{
    (void)fputs("<!doctype html>\n"
                "<html lang=\"en\">\n"
                "<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n"
                "<link rel=\"stylesheet\" href=\"/style.css\">\n"
                "<link rel=\"icon\" type=\"image/svg+xml\" href=\"/seed.svg\">\n"
                "<title>",
                html->out);
    html_text(html, title);
    (void)fputs(" · sesame</title>\n"
                "<header><a href=\"/\"><img src=\"/seed.svg\" alt=\"\" width=\"28\" height=\"28\">"
                "sesame</a><p>sessions for C web servers</p></header>\n",
                html->out);
}

static void write_ways(struct html *html, const char *here)
{
    static const struct {
        const char *path, *name;
    } ways[] = { { "/", "Your session" },
                 { "/devices", "Your devices" },
                 { "/account/email", "E-mail" } };
    (void)fputs("<nav>", html->out);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        (void)fprintf(html->out, "<a href=\"%s\"%s>%s</a>", ways[i].path,
                      strcmp(here, ways[i].path) == 0 ? " aria-current=\"page\"" : "",
                      ways[i].name);
    (void)fputs("</nav>\n", html->out);
}

/* The library cannot tell a thief from the visitor; the visitor can. */
static void write_suspicion(struct html *html, const struct ses_info *info)
{
    (void)fputs("<section class=\"banner\" role=\"alert\"><p><strong>Somebody used an old id of "
                "your session</strong> on ",
                html->out);
    html_time(html, info->suspected_ms);
    (void)fputs(info->user
                    ? ". It may have been stolen. <a href=\"/account/confirm\">Confirm that "
                      "it is you</a>: that shuts everybody else out of this session.</p>"
                    : ". It may have been stolen, so that session was ended, for you and for "
                      "whoever else was in it. Log in again.</p>",
                html->out);
    (void)fputs("</section>\n", html->out);
}

static void write_flash(struct html *html, struct ses_slice flash)
{
    (void)fputs("<p class=\"flash\" role=\"status\">", html->out);
    html_slice(html, flash);
    (void)fputs("</p>\n", html->out);
}

static void write_state(struct html *html, struct exchange *x)
{
    struct ses_info info = { .size = sizeof info };
    if (ses_info(x->session, &info) != SES_OK)
        return;
    /* Of a session that has ended meanwhile there is none: its page has no form that needs it. */
    if (visitor_has_session(x->session) && ses_csrf_token(x->session, &html->token) != SES_OK)
        html->token.text[0] = '\0';
    if (visitor_is_in(x->session))
        write_ways(html, x->path);
    if (info.suspected_ms > 0)
        write_suspicion(html, &info);
}

int html_begin(struct html *html, struct exchange *x, const char *title)
{
    *html = (struct html){ 0 };
    html->out = open_memstream(&html->bytes, &html->len);
    if (!html->out)
        return SES_ERR_NO_MEMORY;
    write_head(html, title);
    if (x->session)
        write_state(html, x);
    (void)fputs("<main>\n", html->out);
    if (x->flash.len > 0)
        write_flash(html, x->flash);
    return SES_OK;
}

/* ---- pieces ---- */

static void write_letter(FILE *out, char letter)
{
    switch (letter) {
    case '&':
        (void)fputs("&amp;", out);
        break;
    case '<':
        (void)fputs("&lt;", out);
        break;
    case '>':
        (void)fputs("&gt;", out);
        break;
    case '"':
        (void)fputs("&quot;", out);
        break;
    case '\'':
        (void)fputs("&#39;", out);
        break;
    default:
        (void)fputc(letter, out);
    }
}

void html_text(struct html *html, const char *text)
{
    for (; *text; text++)
        write_letter(html->out, *text);
}

void html_slice(struct html *html, struct ses_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        write_letter(html->out, ((const char *)text.data)[i]);
}

void html_time(struct html *html, int64_t unix_ms)
{
    const time_t at = (time_t)(unix_ms / 1000);
    struct tm tm;
    char machine[64], human[64];
    if (!gmtime_r(&at, &tm) || strftime(machine, sizeof machine, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0 ||
        strftime(human, sizeof human, " %b %Y, %H:%M UTC", &tm) == 0)
        return;
    (void)fprintf(html->out, "<time datetime=\"%s\">%d%s</time>", machine, tm.tm_mday, human);
}

void html_form(struct html *html, const char *action, const char *class_or_null)
{
    (void)fprintf(html->out, "<form method=\"post\" action=\"%s\"", action);
    if (class_or_null)
        (void)fprintf(html->out, " class=\"%s\"", class_or_null);
    (void)fputs(">\n", html->out);
    if (html->token.text[0] != '\0')
        html_hidden(html, "csrf", html->token.text);
}

void html_hidden(struct html *html, const char *name, const char *value)
{
    (void)fprintf(html->out, "<input type=\"hidden\" name=\"%s\" value=\"", name);
    html_text(html, value);
    (void)fputs("\">\n", html->out);
}

int html_answer(struct html *html, struct exchange *x, unsigned status)
{
    (void)fputs("</main>\n"
                "<footer><p>All that this site knows of you lives in one session, kept by "
                "<strong>libsesame</strong>. Programs ask <a href=\"/api/session\">"
                "/api/session</a>.</p></footer>\n",
                html->out);
    const bool failed = ferror(html->out) != 0;
    if (fclose(html->out) != 0 || failed) {
        free(html->bytes);
        return SES_ERR_NO_MEMORY;
    }
    return answer_bytes(x, status, "text/html; charset=utf-8", html->bytes, html->len);
}
