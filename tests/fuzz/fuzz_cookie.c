/* SPDX-License-Identifier: MIT */

/*
 * Cookies both ways. Reading: the input, split at 0xff, is the Cookie fields of one request; the
 * values found lie within them, in order, and none is found twice. Writing: the same pieces are
 * name, value, path and domain of a cookie; it is refused, or a browser keeps exactly that cookie.
 */

#include "core/cookie.h"

#include "base/cleanup.h"
#include "base/slice.h"

#include "support/browser.h"

#include <sesame/error.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS_MAX = 16 };

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* Copies of exactly their size, so that ASan sees one byte too many. */
static size_t split(const uint8_t *data, size_t size, struct ses_slice fields[FIELDS_MAX])
{
    size_t count = 0;
    for (size_t start = 0; start <= size && count < FIELDS_MAX;) {
        const uint8_t *end = size > start ? memchr(data + start, 0xff, size - start) : NULL;
        const size_t len = end ? (size_t)(end - data) - start : size - start;
        char *copy = malloc(len ? len : 1);
        demand(copy != NULL);
        if (len > 0)
            memcpy(copy, data + start, len);
        fields[count++] = (struct ses_slice){ copy, len };
        start += len + 1;
    }
    return count;
}

/* ---- reading ---- */

static size_t field_of(const struct ses_slice *fields, size_t count, struct ses_slice value)
{
    for (size_t i = 0; i < count; i++) {
        const uintptr_t start = (uintptr_t)fields[i].data, at = (uintptr_t)value.data;
        if (at >= start && at + value.len <= start + fields[i].len)
            return i;
    }
    abort();
}

static void read_all(const struct ses_slice *fields, size_t count, struct ses_slice name)
{
    struct cookie_scan scan = cookie_scan_of(fields, count);
    struct ses_slice value;
    size_t field = 0, total = 0;
    uintptr_t last_end = 0;
    while (cookie_next(&scan, name, &value)) {
        const size_t now = field_of(fields, count, value);
        demand(now >= field);
        if (now > field)
            last_end = 0;
        demand((uintptr_t)value.data > last_end);
        demand(value.len == 0 || !memchr(value.data, ';', value.len));
        field = now;
        last_end = (uintptr_t)value.data + value.len;
        total += value.len + 1;
        demand(total <= COOKIE_SCAN_MAX);
    }
    demand(!cookie_next(&scan, name, &value));
}

/* ---- writing ---- */

static char *text_of(struct ses_slice slice)
{
    char *text = malloc(slice.len + 1);
    demand(text != NULL);
    if (slice.len > 0)
        memcpy(text, slice.data, slice.len);
    text[slice.len] = '\0';
    return text;
}

static bool says(struct ses_slice part, const char *text)
{
    return text ? slice_equal(part, slice_of_text(text)) : part.data == NULL;
}

static void check_written(const char *field, const struct ses_cookie *c, int64_t now_ms)
{
    static const char *const words[] = { "Default", "Lax", "Strict", "None" };
    struct browser_cookie seen;
    for (const char *x = field; *x; x++)
        demand(*x >= 0x20 && *x <= 0x7e);
    demand(browser_reads(slice_of_text(field), &seen));
    demand(says(seen.name, c->name) && says(seen.value, c->value) && says(seen.path, c->path));
    demand(c->domain ? browser_word(seen.domain, c->domain) : !seen.domain.data);
    demand(strcmp(words[seen.same_site], c->same_site) == 0);
    demand(seen.secure == c->secure && seen.http_only == c->http_only);
    demand(seen.partitioned == c->partitioned);
    demand(seen.has_max_age == (c->max_age_s >= 0) && seen.has_expires == seen.has_max_age);
    demand(!seen.has_max_age || seen.max_age_s == c->max_age_s);
    demand(!seen.has_max_age ||
           seen.expires_s == (c->max_age_s ? now_ms / 1000 + c->max_age_s : 0));
    demand(seen.unknown == 0 && seen.twice == 0);
}

static void write_one(const struct ses_slice *pieces, size_t count, uint8_t flags)
{
    static const char *const same_sites[] = { "Lax", "Strict", "None", "lax" };
    static const int64_t ages[] = { -1, 0, 60, COOKIE_AGE_MAX_S };
    const int64_t now_ms = 784111777000;
    CLEANUP(free) char *name = text_of(pieces[0]);
    CLEANUP(free) char *value = text_of(count > 1 ? pieces[1] : (struct ses_slice){ "v", 1 });
    CLEANUP(free) char *path = text_of(count > 2 ? pieces[2] : (struct ses_slice){ "/", 1 });
    CLEANUP(free) char *domain = count > 3 ? text_of(pieces[3]) : NULL;
    const struct ses_cookie cookie = {
        .name = name,
        .value = value,
        .path = path,
        .domain = domain,
        .same_site = same_sites[flags & 3],
        .max_age_s = ages[flags >> 2 & 3],
        .secure = flags & 16,
        .http_only = flags & 32,
        .partitioned = flags & 64,
    };
    CLEANUP(buffer_free) struct buffer out = { 0 };
    const int r = cookie_write(&out, &cookie, now_ms);
    demand((r == SES_OK) == !cookie_fault(&cookie));
    if (r == SES_OK)
        check_written((const char *)out.data, &cookie, now_ms);
    else
        demand(r == SES_ERR_INVALID && out.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ses_slice fields[FIELDS_MAX];
    const uint8_t flags = size > 0 ? data[0] : 0;
    const size_t count = split(data, size, fields);
    read_all(fields, count, (struct ses_slice){ "id", 2 });
    read_all(fields, count, (struct ses_slice){ "__Host-id", 9 });
    /* The flags come from the first byte, the pieces follow it. */
    write_one(fields, count, 16 | 32);
    write_one(fields, count, flags);
    if (count > 1)
        write_one(fields + 1, count - 1, flags);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)fields[i].data);
    return 0;
}
