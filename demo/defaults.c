/* SPDX-License-Identifier: MIT */
#include "defaults.h"

#include "keyfile.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { SESSIONS_MAX = 100000, BYTES_MAX = 256 << 20, REMEMBER_S = 30 * 24 * 60 * 60 };

static const char max_sessions[] = "maxSessions", max_bytes[] = "maxBytes",
                  remember[] = "rememberLifetime";

/* Without regard to case, as the library reads it. A limit of 0 is a word, too: none is wanted. */
static bool has_any(json_t *settings, const char *one, const char *other)
{
    const char *name;
    json_t *value;
    json_object_foreach(settings, name, value)
    {
        if (strcasecmp(name, one) == 0 || strcasecmp(name, other) == 0)
            return true;
    }
    return false;
}

static bool add_limits(json_t *settings)
{
    return json_object_set_new(settings, max_sessions, json_integer(SESSIONS_MAX)) == 0 &&
           json_object_set_new(settings, max_bytes, json_integer(BYTES_MAX)) == 0;
}

/* "cookie", or "cookie+" and a provider for the ledger. */
static bool is_sealed(const char *provider)
{
    return strcmp(provider, "cookie") == 0 || strncmp(provider, "cookie+", 7) == 0;
}

/* By our name or by the ancestor's. */
static bool is_memcached(const char *provider)
{
    return strcmp(provider, "memcached") == 0 || strcmp(provider, "memcache") == 0;
}

static bool needs_key(const char *provider, json_t *settings)
{
    return is_sealed(provider) && !has_any(settings, "sealKeyFile", "sealKeys") &&
           !has_any(settings, "sealPassphrase", "providerConfig");
}

char *defaults_add(const char *provider, const char *config)
{
    json_t *settings = json_loads(config && *config ? config : "{}", JSON_REJECT_DUPLICATES, NULL);
    const bool readable = json_is_object(settings);
    const bool limits =
        readable && strcmp(provider, "memory") == 0 && !has_any(settings, max_sessions, max_bytes);
    /* Without Set-Cookie nothing can be remembered, nor without a store that knows of users. */
    const bool remembers = readable && strcmp(provider, "cookie") != 0 && !is_memcached(provider) &&
                           !has_any(settings, remember, "preset") &&
                           !has_any(settings, "enableSetCookie", "enableSetCookie");
    const bool key = readable && needs_key(provider, settings) && keyfile_need();
    bool done = limits || remembers || key;
    if (limits)
        done = add_limits(settings);
    if (done && remembers)
        done = json_object_set_new(settings, remember, json_integer(REMEMBER_S)) == 0;
    if (done && key)
        done = json_object_set_new(settings, "sealKeyFile", json_string(KEYFILE_NAME)) == 0;
    char *text = done ? json_dumps(settings, JSON_COMPACT) : NULL;
    json_decref(settings);
    return text;
}
