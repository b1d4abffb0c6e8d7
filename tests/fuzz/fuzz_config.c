/* SPDX-License-Identifier: MIT */

/*
 * The input as a configuration's text, with a provider that declares a setting of each type. What
 * is refused is refused in one line; what is taken contradicts nothing: its cookies can be sent,
 * its limits hold each other, its ids fit.
 */

#include "core/config.h"

#include "core/cookie.h"
#include "core/id.h"

#include "base/cleanup.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct shop {
    uint64_t before;
    bool open;
    int64_t staff;
    const char *street;
    int kind;
    int size;
    const char *goods;
    uint64_t after;
};

static const char *const kinds[] = { "corner", "market", "mall", NULL };
static const char *const sizes[] = { "", "small", "large", NULL };

#define AT(member_) .offset = offsetof(struct shop, member_)

static const struct ses_setting shop_settings[] = {
    { .name = "open", .type = SES_SETTING_BOOL, AT(open), .preset = 1 },
    { .name = "staff", .type = SES_SETTING_INT, AT(staff), .min = -5, .max = 100, .preset = 7 },
    { .name = "crew", .type = SES_SETTING_INT, AT(staff), .min = 1, .max = 10 },
    { .name = "street", .type = SES_SETTING_TEXT, AT(street), .min = 2, .max = 8 },
    { .name = "kind", .type = SES_SETTING_CHOICE, AT(kind), .choices = kinds },
    { .name = "size", .type = SES_SETTING_CHOICE, AT(size), .min = 1, .max = 2, .choices = sizes },
    { .name = "goods", .type = SES_SETTING_LIST, AT(goods) },
    { .name = NULL },
};

static const struct ses_provider_ops shop_ops = { .name = "shop", .settings = shop_settings };

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void check_refusal(int code, const struct ses_error *error)
{
    demand(code == SES_ERR_INVALID && error->code == code);
    demand(error->message[0] != '\0');
    demand(memchr(error->message, '\0', sizeof error->message) != NULL);
    for (const char *c = error->message; *c; c++)
        demand((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_cookie(const struct config *c, const struct cookie_face *face)
{
    const struct ses_cookie cookie = {
        .name = face->name,
        .value = "AQ",
        .path = c->cookie_path,
        .domain = c->domain,
        .same_site = config_same_site(c),
        .max_age_s = c->cookie_lifetime_s,
        .secure = face->secure,
        .http_only = !c->no_http_only,
        .partitioned = c->partitioned,
    };
    CLEANUP(buffer_free) struct buffer out = { 0 };
    demand(cookie_write(&out, &cookie, 0) == SES_OK);
}

static void check_cookies(const struct config *c, bool tls)
{
    check_cookie(c, &c->faces[tls]);
    if (c->remember_s == 0)
        return;
    check_cookie(c, &c->remember_faces[tls]);
    demand(strcmp(c->remember_faces[tls].name, c->faces[tls].name) != 0);
}

/* Each of them could be sent with the cookie that evicts. */
static void check_lists(const struct config *c)
{
    demand(c->evict_domains.count <= CONFIG_LIST_MAX && c->evict_paths.count <= CONFIG_LIST_MAX);
    for (size_t i = 0; i < CONFIG_LIST_MAX; i++) {
        const struct ses_cookie cookie = {
            .name = "x",
            .value = "",
            .path = i < c->evict_paths.count ? c->evict_paths.items[i] : "/",
            .domain = i < c->evict_domains.count ? c->evict_domains.items[i] : NULL,
            .same_site = "Lax",
        };
        demand(cookie_fault(&cookie) == NULL);
    }
    demand(c->id_key_count <= ID_KEYS_MAX && c->id_key_text == NULL);
    demand(!c->background_header || token_valid(c->background_header));
}

static void check_taken(const struct config *c, const struct shop *shop)
{
    check_cookies(c, false);
    check_cookies(c, true);
    check_lists(c);
    demand(!c->query_transport);
    demand(!c->header_transport || (c->header_name && token_valid(c->header_name)));
    demand(c->idle_s >= 1 && c->gc_interval_s >= 1 && c->touch_s >= 0 && c->touch_s < c->idle_s);
    demand(c->absolute_s == 0 || c->absolute_s >= c->idle_s);
    demand(c->id_bytes >= ID_RANDOM_MIN && c->id_bytes <= ID_RANDOM_MAX);
    demand(strlen(c->id_prefix) <= ID_PREFIX_MAX && strlen(c->realm) <= REALM_MAX);
    demand(c->max_value_bytes >= 16 && c->max_value_bytes <= c->max_record_bytes);
    demand(c->provider_config && strlen(c->provider_config) <= 4096);
    demand(shop->staff >= -5 && shop->staff <= 100);
    demand(shop->kind >= 0 && shop->kind <= 2 && shop->size >= 0 && shop->size <= 2);
    demand(!shop->street || (strlen(shop->street) >= 2 && strlen(shop->street) <= 8));
    demand(!shop->goods || strlen(shop->goods) < 1 << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(free) char *text = malloc(size + 1);
    demand(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';

    struct shop shop = { .before = UINT64_MAX, .after = UINT64_MAX };
    struct config config;
    struct ses_error error = { .code = 0 };
    const int r = config_read(&config, text, &shop_ops, &shop, &error);
    if (r == SES_OK)
        check_taken(&config, &shop);
    else
        check_refusal(r, &error);
    demand(shop.before == UINT64_MAX && shop.after == UINT64_MAX);
    for (size_t i = 0; r == SES_OK && config_warning(&config, i); i++)
        demand(i < 5);
    config_free(&config);
    return 0;
}
