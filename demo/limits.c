/* SPDX-License-Identifier: MIT */
#include "limits.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { SESSIONS_MAX = 100000, BYTES_MAX = 256 << 20 };

static const char max_sessions[] = "maxSessions", max_bytes[] = "maxBytes";

/* Without regard to case, as the library reads it. A limit of 0 is a word, too: none is wanted. */
static bool has_limit(json_t *settings)
{
    const char *name;
    json_t *value;
    json_object_foreach(settings, name, value)
    {
        if (strcasecmp(name, max_sessions) == 0 || strcasecmp(name, max_bytes) == 0)
            return true;
    }
    return false;
}

char *limits_add(const char *provider, const char *config)
{
    if (strcmp(provider, "memory") != 0)
        return NULL;
    json_t *settings = json_loads(config && *config ? config : "{}", JSON_REJECT_DUPLICATES, NULL);
    char *text = NULL;
    if (json_is_object(settings) && !has_limit(settings) &&
        json_object_set_new(settings, max_sessions, json_integer(SESSIONS_MAX)) == 0 &&
        json_object_set_new(settings, max_bytes, json_integer(BYTES_MAX)) == 0)
        text = json_dumps(settings, JSON_COMPACT);
    json_decref(settings);
    return text;
}
