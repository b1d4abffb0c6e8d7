/* SPDX-License-Identifier: MIT */
#include "core/config_sealed.h"

#include "base/cleanup.h"
#include "base/slice.h"

DEFINE_CLEANUP(json_t *, json_decref)

/* The ancestor's names, and ours. NULL: what it did with them, encryption by two keys, is done by
 * one here. */
static const struct lifted {
    const char *name;
    const char *ours;
} lifted[] = {
    { "securityKey", "sealPassphrase" },
    { "cookieName", "cookieName" },
    { "maxage", "cookieLifeTime" },
    { "secure", "secure" },
    { "keys", "sealKeys" },
    { "keyFile", "sealKeyFile" },
    { "blockKey", NULL },
    { "securityName", NULL },
    { NULL, NULL },
};

static const struct lifted *find_lifted(const char *name)
{
    const struct lifted *at = lifted;
    while (at->name && !ascii_same(at->name, name))
        at++;
    return at;
}

/* Keys are matched without regard to case, so the outer one may be written in any. */
static void drop_same(json_t *object, const char *name)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, key, value)
    {
        (void)value;
        if (ascii_same(key, name))
            (void)json_object_del(object, key);
    }
}

static int lift(json_t *outer, json_t *inner, struct ses_error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach(inner, key, value)
    {
        const struct lifted *at = find_lifted(key);
        if (!at->name)
            return error_set(error, SES_ERR_INVALID,
                             "unknown key \"%.64s\" in the \"ProviderConfig\" of \"cookie\"; known "
                             "are securityKey, cookieName, maxage, secure, keys and keyFile",
                             key);
        if (!at->ours)
            continue;
        drop_same(outer, at->ours);
        if (json_object_set(outer, at->ours, value) < 0)
            return SES_ERR_NO_MEMORY;
    }
    return SES_OK;
}

static json_t *find_inner(json_t *outer)
{
    const char *key;
    json_t *value;
    json_object_foreach(outer, key, value)
    {
        if (ascii_same(key, "providerConfig"))
            return value;
    }
    return NULL;
}

int config_lift_sealed(const char *json, char **ret_json, struct ses_error *error)
{
    *ret_json = NULL;
    CLEANUP(json_decref) json_t *outer = json_loads(json && *json ? json : "{}", 0, NULL);
    const json_t *text = json_is_object(outer) ? find_inner(outer) : NULL;
    if (!json_is_string(text) || json_string_length(text) == 0)
        return SES_OK; /* what is wrong with it, if anything, is said where it is read */
    CLEANUP(json_decref) json_t *inner = json_loads(json_string_value(text), 0, NULL);
    if (!json_is_object(inner))
        return error_set(error, SES_ERR_INVALID,
                         "the \"ProviderConfig\" of \"cookie\" must be a JSON object, such as "
                         "{\"securityKey\":\"...\"}");
    drop_same(outer, "providerConfig");
    int r = lift(outer, inner, error);
    if (r < 0)
        return r;
    *ret_json = json_dumps(outer, JSON_COMPACT);
    return *ret_json ? SES_OK : SES_ERR_NO_MEMORY;
}
