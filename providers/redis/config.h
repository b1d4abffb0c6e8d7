/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_CONFIG_H
#define SES_REDIS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What "ProviderConfig" says, in one of these forms:
 *
 *     redis://[[user]:password@]host[:port][/database][?name=value&...]
 *     rediss://...                   with TLS
 *     unix://[[user]:password@]/path[?name=value&...]
 *     sentinel://[[user]:password@]host[:port],.../master[/database][?...]
 *     cluster://[[user]:password@]host[:port],...[?...]      clusters:// with TLS
 *     (nothing)                      127.0.0.1:6379, as all clients of Redis have it
 *     host:port,pool,password,database,idle seconds,idle check,retries[,master]   beego's
 *     {"save_path": "host:port", "poolsize": 100, ...}                            beego's
 */
enum redis_mode { REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_address {
    const char *path; /* a unix socket, or */
    const char *host;
    const char *port;
};

enum { REDIS_ADDRESSES_MOST = 32 };

struct redis_config {
    enum redis_mode mode;
    struct redis_address addresses[REDIS_ADDRESSES_MOST];
    size_t address_count;
    const char *user, *password;
    const char *sentinel_user, *sentinel_password;
    const char *master; /* name that the sentinels know it by */
    int64_t database;
    bool tls;
    const char *ca_file, *cert_file, *key_file, *tls_name;

    /* As the settings beside it; what the text names wins. */
    int64_t pool_size;
    int64_t connect_ms;
    int64_t budget_ms;
    int64_t near_records;
    int64_t idle_s;        /* a connection unused for longer is not used any more; 0: no limit */
    int64_t wait_replicas; /* that have to have a write before it is answered with success */
    const char *prefix;

    char *text; /* what the others point into */
};

/* @p config holds the settings; @p mode is taken where the text does not tell it. @return NULL, or
 * what is wrong and what would be right, without any secret. */
const char *redis_config_read(struct redis_config *config, const char *text);
void redis_config_free(struct redis_config *config);

#endif
