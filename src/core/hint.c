/* SPDX-License-Identifier: MIT */
#include "core/hint.h"

#include "base/slice.h"

enum { NAME_MAX_BYTES = 64 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein, without regard to case; names over NAME_MAX_BYTES are near to none. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_BYTES + 1];
    const size_t width = strlen(b);
    if (width > NAME_MAX_BYTES || strlen(a) > NAME_MAX_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < width; j++) {
            const size_t replaced = diagonal + (ascii_lower(a[i]) != ascii_lower(b[j]));
            diagonal = row[j + 1];
            row[j + 1] = smaller(replaced, smaller(diagonal, row[j]) + 1);
        }
    }
    return row[width];
}

/* A third of the letters may differ: what is further off is no slip, and a guess would mislead. */
static bool is_near(const char *name, const char *known, size_t differences)
{
    const size_t len = strlen(name), known_len = strlen(known);
    return differences <= (len > known_len ? len : known_len) / 3;
}

void hint_offer(struct hint *hint, const char *known, const char *meant)
{
    const size_t differences = distance(hint->name, known);
    if (!is_near(hint->name, known, differences) ||
        (hint->meant && differences >= hint->differences))
        return;
    hint->meant = meant;
    hint->differences = differences;
}
