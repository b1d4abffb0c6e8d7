/* SPDX-License-Identifier: MIT */
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names of browsers ---- */

/* What a User-Agent holds, and what that means: the first that fits, for each names those that it
 * likes to be taken for, too. */
struct token {
    const char *holds, *name;
};

static const struct token browsers[] = {
    { "Edg/", "Edge" },        { "OPR/", "Opera" },
    { "Firefox/", "Firefox" }, { "HeadlessChrome/", "Chrome" },
    { "Chrome/", "Chrome" },   { "Safari/", "Safari" },
    { "curl/", "curl" },       { NULL, "A browser" },
};

static const struct token systems[] = {
    { "Android", " on Android" },
    { "iPhone", " on an iPhone" },
    { "iPad", " on an iPad" },
    { "Windows", " on Windows" },
    { "Mac OS X", " on macOS" },
    { "Linux", " on Linux" },
    { NULL, "" },
};

static const char *find_name(const struct token *tokens, const char *agent)
{
    while (tokens->holds && !strstr(agent, tokens->holds))
        tokens++;
    return tokens->name;
}

static void name_browser(const char *agent, char *name, size_t size)
{
    (void)snprintf(name, size, "%s%s", find_name(browsers, agent), find_name(systems, agent));
}

/* ---- the list ---- */

struct gathering {
    struct devices *devices;
    const char *here;
};

static struct device *add_device(struct devices *devices)
{
    struct device *all = realloc(devices->all, (devices->count + 1) * sizeof *all);
    if (!all)
        return NULL;
    devices->all = all;
    return &all[devices->count++];
}

static int gather(void *arg, const struct ses_info *info)
{
    const struct gathering *gathering = arg;
    struct device *device = add_device(gathering->devices);
    if (!device)
        return SES_ERR_NO_MEMORY;
    *device = (struct device){
        .created_ms = info->created_ms,
        .seen_ms = info->seen_ms,
        .remembered = info->remembered,
        .here = strcmp(info->handle, gathering->here) == 0,
    };
    (void)snprintf(device->handle, sizeof device->handle, "%s", info->handle);
    (void)snprintf(device->peer, sizeof device->peer, "%s", info->peer ? info->peer : "");
    name_browser(info->user_agent ? info->user_agent : "", device->browser, sizeof device->browser);
    return SES_OK;
}

static int by_use(const void *left, const void *right)
{
    const struct device *a = left, *b = right;
    if (a->here != b->here)
        return a->here ? -1 : 1;
    return (a->seen_ms < b->seen_ms) - (a->seen_ms > b->seen_ms);
}

int devices_list(ses_manager *manager, ses_session *session, struct devices *devices)
{
    struct ses_info info = { .size = sizeof info };
    int r = ses_info(session, &info);
    const struct gathering gathering = { devices, info.handle };
    if (r == SES_OK)
        r = ses_list(manager, info.user, gather, (void *)&gathering);
    if (r == SES_OK && devices->count > 1)
        qsort(devices->all, devices->count, sizeof *devices->all, by_use);
    return r;
}

void devices_free(struct devices *devices)
{
    free(devices->all);
}
