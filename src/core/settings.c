/* SPDX-License-Identifier: MIT */
#include "core/settings.h"

#include "core/hint.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/one_line.h"
#include "base/slice.h"

#include <stdarg.h>
#include <stdio.h>

enum { SETTINGS_MAX = 128 };

/* What has been given so far: one bit per setting of each table. */
struct reading {
    const struct settings_table *tables;
    size_t count;
    const char *given[SETTINGS_MAX]; /* the name used, at the place of the setting's first alias */
    struct ses_error *error;
};

int error_set(struct ses_error *error, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error->code = code;
    (void)vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    make_one_line(error->message);
    return code;
}

/* ---- which setting a name means ---- */

struct found {
    const struct ses_setting *setting;
    void *target;
    size_t place; /* in given[]: the same for aliases */
};

static size_t table_len(const struct settings_table *table)
{
    size_t len = 0;
    while (table->settings[len].name)
        len++;
    return len;
}

static size_t first_alias(const struct settings_table *table, size_t index)
{
    size_t first = 0;
    while (table->settings[first].offset != table->settings[index].offset)
        first++;
    return first;
}

static bool find_setting(const struct reading *reading, const char *name, struct found *ret)
{
    size_t before = 0;
    for (size_t t = 0; t < reading->count; t++) {
        const struct settings_table *table = &reading->tables[t];
        const size_t len = table_len(table);
        for (size_t i = 0; i < len; i++) {
            if (!ascii_same(table->settings[i].name, name))
                continue;
            *ret = (struct found){ &table->settings[i], table->target,
                                   before + first_alias(table, i) };
            return ret->place < SETTINGS_MAX;
        }
        before += len;
    }
    return false;
}

/* ---- a name that is none ---- */

/* Who gave a key of another provider sees at once which ones this one has. */
static void write_own(const struct settings_table *table, struct buffer *out)
{
    buffer_text(out, ", and ");
    buffer_text(out, table->provider);
    buffer_text(out, table->settings->name ? " has " : " has none of its own");
    for (size_t i = 0; table->settings[i].name; i++) {
        if (first_alias(table, i) != i)
            continue;
        buffer_text(out, i > 0 ? ", " : "");
        buffer_text(out, table->settings[i].name);
    }
}

static int fail_far(const struct reading *reading, const char *name)
{
    char own[sizeof reading->error->message];
    struct buffer out = buffer_fixed(own, sizeof own);
    for (size_t t = 0; t < reading->count; t++) {
        if (reading->tables[t].provider)
            write_own(&reading->tables[t], &out);
    }
    return error_set(reading->error, SES_ERR_INVALID,
                     "unknown configuration key \"%.64s\"; sesame-config(5) lists the common "
                     "ones%.*s",
                     name, (int)out.len, own);
}

static int fail_unknown(const struct reading *reading, const char *name)
{
    struct hint hint = { .name = name };
    for (size_t t = 0; t < reading->count; t++) {
        const struct ses_setting *setting = reading->tables[t].settings;
        for (; setting->name; setting++)
            hint_offer(&hint, setting->name, setting->name);
    }
    if (!hint.meant)
        return fail_far(reading, name);
    return error_set(reading->error, SES_ERR_INVALID,
                     "unknown configuration key \"%.64s\"; the nearest known one is \"%s\"", name,
                     hint.meant);
}

/* ---- one value ---- */

/* In one place, because the targets' members have different types behind an offset. */
static void *member(const struct found *found)
{
    return (unsigned char *)found->target + found->setting->offset;
}

static void write_int64(const struct found *found, int64_t value)
{
    memcpy(member(found), &value, sizeof value);
}

static void write_int(const struct found *found, int value)
{
    memcpy(member(found), &value, sizeof value);
}

static void write_bool(const struct found *found, bool value)
{
    memcpy(member(found), &value, sizeof value);
}

static void write_text(const struct found *found, const char *text)
{
    memcpy(member(found), &text, sizeof text);
}

static void write_preset(const struct found *found)
{
    switch (found->setting->type) {
    case SES_SETTING_BOOL:
        write_bool(found, found->setting->preset != 0);
        break;
    case SES_SETTING_INT:
        write_int64(found, found->setting->preset);
        break;
    case SES_SETTING_CHOICE:
        write_int(found, (int)found->setting->preset);
        break;
    case SES_SETTING_TEXT:
    case SES_SETTING_LIST:
        write_text(found, NULL);
        break;
    }
}

static int read_bool(const struct found *found, const json_t *value, struct ses_error *error)
{
    if (!json_is_boolean(value))
        return error_set(error, SES_ERR_INVALID, "\"%s\" must be true or false",
                         found->setting->name);
    write_bool(found, json_is_true(value));
    return SES_OK;
}

static int read_int(const struct found *found, const json_t *value, struct ses_error *error)
{
    const struct ses_setting *s = found->setting;
    const json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < s->min || number > s->max)
        return error_set(error, SES_ERR_INVALID, "\"%s\" must be a whole number from %lld to %lld",
                         s->name, (long long)s->min, (long long)s->max);
    write_int64(found, number);
    return SES_OK;
}

static int read_text(const struct found *found, const json_t *value, struct ses_error *error)
{
    const struct ses_setting *s = found->setting;
    const int64_t len = (int64_t)json_string_length(value);
    if (!json_is_string(value) || len < s->min || len > s->max)
        return error_set(error, SES_ERR_INVALID, "\"%s\" must be a text of %lld to %lld bytes",
                         s->name, (long long)s->min, (long long)s->max);
    write_text(found, json_string_value(value));
    return SES_OK;
}

static const char *choice_word(const json_t *value)
{
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    return json_string_value(value); /* NULL when it is not a text */
}

/* An empty word is another way to leave the setting out; nobody needs to be told. */
static int fail_choice(const struct ses_setting *s, struct ses_error *error)
{
    char words[128] = "";
    struct buffer out = buffer_fixed(words, sizeof words);
    for (size_t i = (size_t)s->min; s->choices[i]; i++) {
        buffer_text(&out, out.len > 0 && *s->choices[i] ? ", " : "");
        buffer_text(&out, s->choices[i]);
    }
    if (s->max > 0)
        return error_set(error, SES_ERR_INVALID,
                         "\"%s\" must be one of: %.*s; or a number from %lld to %lld", s->name,
                         (int)out.len, words, (long long)s->min, (long long)s->max);
    return error_set(error, SES_ERR_INVALID, "\"%s\" must be one of: %.*s", s->name, (int)out.len,
                     words);
}

static int read_choice(const struct found *found, const json_t *value, struct ses_error *error)
{
    const struct ses_setting *s = found->setting;
    const char *word = choice_word(value);
    for (int i = (int)s->min; s->choices[i]; i++) {
        const bool numbered =
            s->max > 0 && json_is_integer(value) && json_integer_value(value) == i;
        if (numbered || (word && ascii_same(word, s->choices[i]))) {
            write_int(found, i);
            return SES_OK;
        }
    }
    return fail_choice(s, error);
}

/* The texts of an array joined by commas, as a new JSON text. SES_ERR_INVALID: one is not a text.
 */
static int join(const json_t *array, json_t **ret_text)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text)
            return SES_ERR_INVALID;
        buffer_text(&out, i > 0 ? "," : "");
        buffer_text(&out, text);
    }
    const char *joined = out.len > 0 ? (const char *)out.data : "";
    json_t *text = out.failed ? NULL : json_stringn(joined, out.len);
    if (!text)
        return SES_ERR_NO_MEMORY;
    *ret_text = text;
    return SES_OK;
}

static int read_list(const struct found *found, json_t *object, const char *name, json_t *value,
                     struct ses_error *error)
{
    json_t *text = NULL;
    int r = json_is_string(value) ? SES_OK : SES_ERR_INVALID;
    if (r == SES_OK)
        text = json_incref(value);
    else if (json_is_array(value))
        r = join(value, &text);
    if (r == SES_ERR_INVALID)
        return error_set(error, r, "\"%s\" must be an array of texts", found->setting->name);
    /* The object owns the joined text from here on, as it owns all others. */
    if (r < 0 || json_object_set_new_nocheck(object, name, text) != 0)
        return error_set(error, SES_ERR_NO_MEMORY, "%s", ses_strerror(SES_ERR_NO_MEMORY));
    write_text(found, json_string_value(text));
    return SES_OK;
}

static int read_member(struct reading *reading, json_t *object, const char *name, json_t *value)
{
    struct found found;
    if (!find_setting(reading, name, &found))
        return fail_unknown(reading, name);
    if (reading->given[found.place])
        return error_set(reading->error, SES_ERR_INVALID,
                         "\"%s\" and \"%s\" are the same setting; give it once",
                         reading->given[found.place], name);
    reading->given[found.place] = name;

    switch (found.setting->type) {
    case SES_SETTING_BOOL:
        return read_bool(&found, value, reading->error);
    case SES_SETTING_INT:
        return read_int(&found, value, reading->error);
    case SES_SETTING_TEXT:
        return read_text(&found, value, reading->error);
    case SES_SETTING_CHOICE:
        return read_choice(&found, value, reading->error);
    case SES_SETTING_LIST:
        return read_list(&found, object, name, value, reading->error);
    }
    return SES_ERR_INVALID;
}

static void write_presets(const struct settings_table *table)
{
    for (size_t i = 0; i < table_len(table); i++) {
        const struct found found = { &table->settings[i], table->target, 0 };
        if (first_alias(table, i) == i)
            write_preset(&found);
    }
}

int settings_read(json_t *object, const struct settings_table *tables, size_t count,
                  struct ses_error *error)
{
    struct reading reading = { .tables = tables, .count = count, .error = error };
    for (size_t t = 0; t < count; t++)
        write_presets(&tables[t]);

    void *next = NULL;
    for (void *at = json_object_iter(object); at; at = next) {
        const char *name = json_object_iter_key(at);
        next = json_object_iter_next(object, at); /* read_list may replace this member */
        int r = read_member(&reading, object, name, json_object_iter_value(at));
        if (r < 0)
            return r;
    }
    return SES_OK;
}
