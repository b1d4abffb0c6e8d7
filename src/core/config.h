/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_CONFIG_H
#define SES_CORE_CONFIG_H

/*
 * The manager's configuration: a JSON object, read once and checked as a whole, so that no request
 * meets a contradiction. Keys, meanings and defaults are in docs/configuration.md.
 */

#include "core/id.h"
#include "core/proxy.h"
#include "core/settings.h"

/* Cookies that one sealed session may fill; a digit names each. */
enum { SEAL_PARTS_MAX = 8 };

enum { COOKIE_NAME_MAX = 128, CONFIG_LIST_MAX = 4 };

enum cache_policy {
    CACHE_NO_STORE, /* a response that read a stored session is no-store */
    CACHE_PRIVATE,  /* it is private, no-cache */
    CACHE_NONE,     /* it is left alone */
};

/* Indexes into the choices of config.c. */
enum secure { SECURE_FALSE, SECURE_TRUE, SECURE_AUTO };
enum when_user_full { USER_FULL_REFUSE, USER_FULL_END_OLDEST, USER_FULL_END_LEAST_RECENT };
enum when_stolen { STOLEN_END, STOLEN_REPORT };
enum binding { BINDING_OFF, BINDING_SIGNAL, BINDING_DEMAND };
enum scan_action { SCAN_REPORT, SCAN_REFUSE };

/* The cookie as it is named and marked on requests of one kind (TLS or not). */
struct cookie_face {
    char name[COOKIE_NAME_MAX + 1];
    bool secure;
};

/* A list of texts, taken apart. */
struct config_list {
    const char *items[CONFIG_LIST_MAX];
    size_t count;
    char *text; /* what the items are parts of */
};

struct config {
    /* As the table writes them: texts are borrowed from json. */
    const char *cookie_name;
    const char *cookie_path;
    const char *domain;
    const char *realm;
    const char *id_prefix;
    const char *header_name;
    const char *provider_config;
    const char *trusted_proxies;
    const char *background_header;
    const char *remember_name;
    const char *seal_keys;
    const char *seal_key_file;
    const char *seal_passphrase;
    const char *evict_domain_text;
    const char *evict_path_text;
    const char *id_key_text; /* wiped once it was read */
    int64_t gc_interval_s;
    int64_t idle_s;
    int64_t absolute_s; /* 0: no limit */
    int64_t touch_s;
    int64_t renewal_s; /* 0: ids are not changed by time */
    int64_t grace_s;
    int64_t remember_s;        /* 0: nobody is remembered */
    int64_t max_user_sessions; /* 0: no limit */
    int64_t seal_chunks;
    int64_t bind_prefix_4;
    int64_t bind_prefix_6;
    int64_t scan_limit;        /* 0: nobody is watched */
    int64_t cookie_lifetime_s; /* 0: until the browser closes */
    int64_t id_bytes;
    int64_t max_record_bytes;
    int64_t max_value_bytes;
    int64_t max_key_bytes;
    int64_t max_values;
    int64_t max_replays;
    int secure;
    int cookie_prefix;
    int same_site;
    int cache;
    int creation;
    int preset;
    int when_user_full;
    int when_stolen;
    int bind_user_agent;
    int bind_network;
    int scan_action;
    bool set_cookie;
    bool no_http_only;
    bool partitioned;
    bool header_transport;
    bool query_transport;

    /* Worked out from them. */
    struct cookie_face faces[2];          /* [request came by TLS] */
    struct cookie_face remember_faces[2]; /* of the remembered log-in; nameless when it is off */
    struct config_list evict_domains;
    struct config_list evict_paths;
    struct hmac_key id_keys[ID_KEYS_MAX];
    size_t id_key_count;
    struct proxy_list *proxies;
    bool eager;
    json_t *json;
};

/* Reads @p text (NULL or "": an empty object) and, into @p instance, the own settings of @p
 * provider (NULL: none). */
int config_read(struct config *config, const char *text, const struct ses_provider_ops *provider,
                void *instance, struct ses_error *error);
void config_free(struct config *config);

/* "Lax", "Strict" or "None". */
const char *config_same_site(const struct config *config);

/* What deserves a warning at start, one sentence a call; NULL when there is no more. */
const char *config_warning(const struct config *config, size_t index);

#endif
