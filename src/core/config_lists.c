/* SPDX-License-Identifier: MIT */
#include "core/config_lists.h"

#include "core/cookie.h"

#include "base/slice.h"

#include <stdlib.h>

/* The shortest that "openssl rand -hex 16" could give; what is advised is 44 bytes. */
enum { SECRET_MIN_BYTES = 32 };

/* ---- secrets ---- */

static bool next_item(const char **at, struct ses_slice *ret_item)
{
    if (!*at)
        return false;
    const char *end = strchrnul(*at, ',');
    *ret_item = slice_trim(slice_between(*at, end));
    *at = *end ? end + 1 : NULL;
    return true;
}

/* An empty text is a secret that is too short, not a wish to do without: it may come from a
 * variable that nobody has set. */
static int read_id_keys(struct config *c, struct ses_error *error)
{
    const char *at = c->id_key_text;
    struct ses_slice secret;
    while (next_item(&at, &secret)) {
        if (c->id_key_count == ID_KEYS_MAX)
            return error_set(error, SES_ERR_INVALID, "\"idKey\" takes at most %d secrets",
                             ID_KEYS_MAX);
        if (secret.len < SECRET_MIN_BYTES)
            return error_set(error, SES_ERR_INVALID,
                             "\"idKey\": secret %d is shorter than %d bytes; make one with: "
                             "openssl rand -base64 32",
                             (int)c->id_key_count + 1, SECRET_MIN_BYTES);
        hmac_key_init(&c->id_keys[c->id_key_count++], secret);
    }
    return SES_OK;
}

static void wipe(const char **text)
{
    if (*text)
        explicit_bzero((char *)*text, strlen(*text));
    *text = NULL;
}

/* The text is the JSON object's, which is ours alone. What jansson had in its own buffers while it
 * read is beyond us, and so is the caller's text. */
static void wipe_secrets(struct config *c)
{
    wipe(&c->id_key_text);
}

/* ---- what is to be evicted ---- */

struct list_setting {
    const char *name;
    const char *text;
    struct config_list *list;
    bool of_domains;
};

static const char *trim(char *item)
{
    item += strspn(item, " \t");
    for (size_t len = strlen(item); len > 0 && strchr(" \t", item[len - 1]); len--)
        item[len - 1] = '\0';
    return item;
}

/* SES_ERR_TOO_LARGE: there are too many. */
static int split(const char *text, struct config_list *list)
{
    char *next = strdup(text);
    if (!next)
        return SES_ERR_NO_MEMORY;
    list->text = next;
    while (next) {
        char *item = next, *comma = strchr(item, ',');
        if (comma)
            *comma = '\0';
        next = comma ? comma + 1 : NULL;
        if (list->count == CONFIG_LIST_MAX)
            return SES_ERR_TOO_LARGE;
        list->items[list->count++] = trim(item);
    }
    return SES_OK;
}

/* By the rules for the cookie that is to evict. */
static int check_item(const struct list_setting *setting, const char **item,
                      struct ses_error *error)
{
    if (setting->of_domains && **item == '.')
        ++*item; /* as of the cookie's own domain */
    const struct ses_cookie cookie = {
        .name = "x",
        .value = "",
        .path = setting->of_domains ? "/" : *item,
        .domain = setting->of_domains ? *item : NULL,
        .same_site = "Lax",
    };
    const char *fault = cookie_fault(&cookie);
    if (!fault)
        return SES_OK;
    return error_set(error, SES_ERR_INVALID, "\"%s\": \"%.64s\": %s", setting->name, *item, fault);
}

/* Browsers take a cookie with that prefix without a domain and with the path "/" only. */
static bool nothing_to_evict(const struct config *c)
{
    return ascii_starts(c->faces[0].name, "__Host-") && ascii_starts(c->faces[1].name, "__Host-");
}

static int read_list(const struct config *c, const struct list_setting *setting,
                     struct ses_error *error)
{
    if (!setting->text || !*setting->text)
        return SES_OK;
    if (nothing_to_evict(c))
        return error_set(error, SES_ERR_INVALID,
                         "\"%s\": a cookie with __Host- has no other domain or path that could be "
                         "evicted; leave it out",
                         setting->name);
    int r = split(setting->text, setting->list);
    if (r == SES_ERR_TOO_LARGE)
        return error_set(error, SES_ERR_INVALID, "\"%s\" takes at most %d texts", setting->name,
                         CONFIG_LIST_MAX);
    for (size_t i = 0; r == SES_OK && i < setting->list->count; i++)
        r = check_item(setting, &setting->list->items[i], error);
    return r;
}

/* ---- all ---- */

int config_read_lists(struct config *config, struct ses_error *error)
{
    const struct list_setting settings[] = {
        { "evictDomains", config->evict_domain_text, &config->evict_domains, true },
        { "evictPaths", config->evict_path_text, &config->evict_paths, false },
    };
    int r = read_id_keys(config, error);
    wipe_secrets(config);
    for (size_t i = 0; r == SES_OK && i < sizeof settings / sizeof settings[0]; i++)
        r = read_list(config, &settings[i], error);
    return r;
}

void config_wipe_sealing(struct config *config)
{
    wipe(&config->seal_keys);
    wipe(&config->seal_passphrase);
}

void config_free_lists(struct config *config)
{
    wipe_secrets(config);
    for (size_t i = 0; i < ID_KEYS_MAX; i++)
        hmac_key_wipe(&config->id_keys[i]);
    config->id_key_count = 0;
    free(config->evict_domains.text);
    free(config->evict_paths.text);
}
