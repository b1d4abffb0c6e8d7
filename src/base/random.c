/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <sesame/error.h>

#include <errno.h>
#include <sys/random.h>

int random_bytes(void *out, size_t len)
{
    unsigned char *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || (size_t)got > len)
            return SES_ERR_NO_RANDOMNESS;
        at += got;
        len -= (size_t)got;
    }
    return SES_OK;
}
