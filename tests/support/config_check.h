/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_CONFIG_CHECK_H
#define SES_TEST_CONFIG_CHECK_H

/* What a configuration's text comes to. */

#include "core/config.h"

#include "support/test.h"

#include <sesame/manager.h>

static inline void read_well(struct config *config, const char *text)
{
    struct ses_error error = { 0 };
    if (config_read(config, text, NULL, NULL, &error) != SES_OK)
        fail_msg("%s: %s", text ? text : "NULL", error.message);
}

/* assert_config("{...}", c.idle_s == 60); */
#define assert_config(text, condition)                                                             \
 do {                                                                                              \
  struct config c;                                                                                 \
  read_well(&c, text);                                                                             \
  if (!(condition))                                                                                \
   fail_msg("%s: not %s", #text, #condition);                                                      \
  config_free(&c);                                                                                 \
 } while (0)

static inline bool same(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* The same words from config_read() itself and from the call that applications make. */
static inline void assert_refused(const char *text, const char *message)
{
    struct config config;
    struct ses_error error = { 0 };
    assert_code(config_read(&config, text, NULL, NULL, &error), SES_ERR_INVALID);
    config_free(&config);
    assert_int_equal(error.code, SES_ERR_INVALID);
    assert_string_equal(error.message, message);

    error = (struct ses_error){ 0 };
    assert_null(ses_manager_new("memory", text, NULL, &error));
    assert_int_equal(error.code, SES_ERR_INVALID);
    assert_string_equal(error.message, message);
    assert_null(ses_manager_new("memory", text, NULL, NULL));
}

#endif
