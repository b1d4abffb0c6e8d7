/* SPDX-License-Identifier: MIT */
#include "redis/seen.h"

#include <stdlib.h>

enum { FIRST_ROOM = 1024 };

/* Where it is, or would be. */
static uint64_t *find(const struct seen *seen, uint64_t mark)
{
    size_t at = mark & (seen->room - 1);
    while (seen->table[at] != 0 && seen->table[at] != mark)
        at = (at + 1) & (seen->room - 1);
    return &seen->table[at];
}

static int grow(struct seen *seen)
{
    struct seen larger = { .room = seen->room ? seen->room * 2 : FIRST_ROOM, .count = seen->count };
    larger.table = calloc(larger.room, sizeof *larger.table);
    if (!larger.table)
        return SES_ERR_NO_MEMORY;
    for (size_t i = 0; i < seen->room; i++) {
        if (seen->table[i] != 0)
            *find(&larger, seen->table[i]) = seen->table[i];
    }
    free(seen->table);
    *seen = larger;
    return SES_OK;
}

int seen_add(struct seen *seen, const struct ses_key *key)
{
    uint64_t mark;
    memcpy(&mark, key->bytes, sizeof mark);
    mark |= mark == 0; /* 0 is an empty place */
    if (seen->count >= seen->room / 2 && grow(seen) != SES_OK)
        return SES_ERR_NO_MEMORY;
    uint64_t *place = find(seen, mark);
    if (*place == mark)
        return SES_ERR_EXISTS;
    *place = mark;
    seen->count++;
    return SES_OK;
}

void seen_free(struct seen *seen)
{
    free(seen->table);
    *seen = (struct seen){ 0 };
}
