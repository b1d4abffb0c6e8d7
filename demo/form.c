/* SPDX-License-Identifier: MIT */
#include "form.h"

#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool url_decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        const int high = hex_digit(in[1]), low = high < 0 ? -1 : hex_digit(in[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *out++ = (char)(high << 4 | low);
        in += 2;
    }
    *out = '\0';
    return true;
}

bool text_is_longer(const char *text, size_t letters)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count > letters;
}

static char *decode_copy(const char *start, size_t len)
{
    char *text = strndup(start, len);
    if (!text)
        return NULL;
    for (char *plus = strchr(text, '+'); plus; plus = strchr(plus, '+'))
        *plus = ' ';
    if (url_decode(text))
        return text;
    free(text);
    return NULL;
}

char *form_value(const char *body, size_t len, const char *name)
{
    const size_t name_len = strlen(name);
    const char *end = body + len;
    if (memchr(body, '\0', len))
        return NULL;
    while (body < end) {
        const char *pair_end = memchr(body, '&', (size_t)(end - body));
        pair_end = pair_end ? pair_end : end;
        if ((size_t)(pair_end - body) > name_len && body[name_len] == '=' &&
            strncmp(body, name, name_len) == 0)
            return decode_copy(body + name_len + 1, (size_t)(pair_end - body) - name_len - 1);
        body = pair_end + 1;
    }
    return NULL;
}

char *form_field(const char *body, size_t len, const char *name)
{
    static const char blanks[] = " \t\r\n";
    char *value = form_value(body, len, name);
    if (!value)
        return calloc(1, 1);
    const size_t start = strspn(value, blanks);
    size_t rest = strlen(value) - start;
    memmove(value, value + start, rest + 1);
    while (rest > 0 && strchr(blanks, value[rest - 1]))
        value[--rest] = '\0';
    return value;
}
