/* SPDX-License-Identifier: MIT */
#include "account_views.h"

#include "html.h"

/* More fill no page, and are ended by one button. */
enum { SHOWN_MAX = 100 };

/* ---- devices ---- */

static void write_end_form(struct html *html, const struct device *device)
{
    html_form(html, device->here ? "/logout" : "/devices/end", NULL);
    if (!device->here)
        html_hidden(html, "handle", device->handle);
    (void)fprintf(html->out, "<button class=\"quiet\" aria-label=\"%s ",
                  device->remembered ? "Forget" : "Log out");
    html_text(html, device->browser);
    (void)fprintf(html->out, "\">%s</button></form>", device->remembered ? "Forget" : "Log out");
}

static void write_times(struct html *html, const struct device *device)
{
    (void)fputs("<p class=\"aside\">", html->out);
    html_text(html, device->peer);
    (void)fputs(device->remembered ? " · no session, but remembered since " : " · since ",
                html->out);
    html_time(html, device->created_ms);
    if (!device->remembered) {
        (void)fputs(" · last seen ", html->out);
        html_time(html, device->seen_ms);
    }
    (void)fputs("</p>", html->out);
}

static void write_device(struct html *html, const struct device *device)
{
    (void)fprintf(html->out, "<li%s><div><p><strong>",
                  device->here ? " aria-current=\"true\"" : "");
    html_text(html, device->browser);
    (void)fprintf(html->out, "</strong>%s</p>\n",
                  device->here ? " <span class=\"badge\">this one</span>" : "");
    write_times(html, device);
    (void)fputs("</div>\n", html->out);
    write_end_form(html, device);
    (void)fputs("</li>\n", html->out);
}

int view_devices(struct exchange *x, const struct devices *devices)
{
    struct html html;
    int r = html_begin(&html, x, "Your devices");
    if (r != SES_OK)
        return r;
    (void)fputs("<section class=\"card\">\n<h1>Your devices</h1>\n"
                "<p>Where you are logged in, or remembered.</p>\n<ul class=\"list\">\n",
                html.out);
    for (size_t i = 0; i < devices->count && i < SHOWN_MAX; i++)
        write_device(&html, &devices->all[i]);
    (void)fputs("</ul>\n", html.out);
    if (devices->count > SHOWN_MAX)
        (void)fprintf(html.out, "<p class=\"aside\">And %zu more.</p>\n",
                      devices->count - SHOWN_MAX);
    html_form(&html, "/devices/end-others", NULL);
    (void)fputs("<p><button>Log out everywhere else</button></p></form>\n</section>\n", html.out);
    return html_answer(&html, x, MHD_HTTP_OK);
}

/* ---- the e-mail address ---- */

static void write_email_form(struct html *html, const char *email, bool complains)
{
    html_form(html, "/account/email", "row");
    (void)fprintf(html->out,
                  "<label for=\"email\">Your address</label>\n"
                  "<input type=\"email\" id=\"email\" name=\"email\" required maxlength=\"%d\" "
                  "autocomplete=\"email\"%s value=\"",
                  EMAIL_MAX_LETTERS,
                  complains ? " aria-invalid=\"true\" aria-describedby=\"complaint\"" : "");
    html_text(html, email);
    (void)fputs("\">\n<button>Save</button>\n</form>\n", html->out);
}

int view_email(struct exchange *x, unsigned status, const char *complaint)
{
    struct html html;
    const char *email = "";
    (void)ses_get_text(x->session, EMAIL_KEY, &email);
    int r = html_begin(&html, x, "E-mail");
    if (r != SES_OK)
        return r;
    (void)fprintf(html.out,
                  "<section class=\"card\">\n<h1>E-mail</h1>\n"
                  "<p>Whoever changes it could take the account over, so this page asks for a "
                  "log-in of the last %u seconds. Nothing is sent: this is a demo.</p>\n",
                  (unsigned)x->site->fresh_s);
    write_email_form(&html, email, complaint != NULL);
    if (complaint) {
        (void)fputs("<p class=\"complaint\" id=\"complaint\" role=\"alert\">", html.out);
        html_text(&html, complaint);
        (void)fputs("</p>\n", html.out);
    }
    (void)fputs("</section>\n", html.out);
    return html_answer(&html, x, status);
}

/* ---- the confirmation ---- */

int view_confirm(struct exchange *x, const char *name, const char *back)
{
    struct html html;
    int r = html_begin(&html, x, "Is it you?");
    if (r != SES_OK)
        return r;
    (void)fputs("<section class=\"card\">\n<h1>Is it you, <span id=\"user\">", html.out);
    html_text(&html, name);
    (void)fputs("</span>?</h1>\n<p>What comes next asks for a fresh log-in. Another site would ask "
                "for your password here.</p>\n",
                html.out);
    html_form(&html, "/account/confirm", NULL);
    html_hidden(&html, "to", back);
    (void)fputs("<p><button>It is me</button></p></form>\n</section>\n", html.out);
    return html_answer(&html, x, MHD_HTTP_OK);
}
