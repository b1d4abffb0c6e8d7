/* SPDX-License-Identifier: MIT */
#include "keyfile.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

enum { KEY_BYTES = 33, LINE_BYTES = 44 }; /* three bytes make four characters, so 33 make 44 */

/* 32 random bytes in base64url: of 33 the last is cut off again, with the character that only it
 * has a part in. */
static bool make_line(char line[LINE_BYTES])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char key[KEY_BYTES] = { 0 };
    if (getrandom(key, KEY_BYTES - 1, 0) != KEY_BYTES - 1)
        return false;
    for (int i = 0, o = 0; i < KEY_BYTES; i += 3) {
        const unsigned bits = (unsigned)key[i] << 16 | (unsigned)key[i + 1] << 8 | key[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            line[o++] = digits[bits >> shift & 63];
    }
    line[LINE_BYTES - 1] = '\n';
    return true;
}

bool keyfile_need(void)
{
    char line[LINE_BYTES];
    const int fd = open(KEYFILE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return true;
    const bool done = fd >= 0 && make_line(line) && write(fd, line, sizeof line) == sizeof line;
    if (!done)
        warn("cannot make the key file %s", KEYFILE_NAME);
    if (fd >= 0)
        (void)close(fd);
    return done;
}
