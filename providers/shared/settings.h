/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_SETTINGS_H
#define SES_SHARED_SETTINGS_H

#include <sesame/ext/provider.h>

#include <stddef.h>

/* What every store on servers of keys and values lets an operator set; @p type_ has the members. */
/* clang-format off */
#define KEY_SERVER_SETTINGS(type_)                                                                 \
    { .name = "keyPrefix", .type = SES_SETTING_TEXT, .offset = offsetof(type_, key_prefix),        \
      .max = 64 },                                                                                 \
    { .name = "poolSize", .type = SES_SETTING_INT, .offset = offsetof(type_, pool_size),           \
      .min = 1, .max = 10000, .preset = 16 },                                                      \
    { .name = "connectTimeoutMs", .type = SES_SETTING_INT, .offset = offsetof(type_, connect_ms),  \
      .min = 10, .max = 60000, .preset = 500 },                                                    \
    { .name = "budgetMs", .type = SES_SETTING_INT, .offset = offsetof(type_, budget_ms),           \
      .min = 20, .max = 60000, .preset = 2000 }
/* clang-format on */

#endif
