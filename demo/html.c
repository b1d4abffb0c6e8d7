/* SPDX-License-Identifier: MIT */
#include "html.h"

#include "answers.h"

#include <stdlib.h>
#include <time.h>

int html_begin(struct html *html, const char *title)
{
    *html = (struct html){ 0 };
    html->out = open_memstream(&html->bytes, &html->len);
    if (!html->out)
        return SES_ERR_NO_MEMORY;
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
                "sesame</a><p>sessions for C web servers</p></header>\n"
                "<main>\n",
                html->out);
    return SES_OK;
}

void html_text(struct html *html, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            (void)fputs("&amp;", html->out);
            break;
        case '<':
            (void)fputs("&lt;", html->out);
            break;
        case '>':
            (void)fputs("&gt;", html->out);
            break;
        case '"':
            (void)fputs("&quot;", html->out);
            break;
        case '\'':
            (void)fputs("&#39;", html->out);
            break;
        default:
            (void)fputc(*text, html->out);
        }
    }
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
