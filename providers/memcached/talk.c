/* SPDX-License-Identifier: MIT */
#include "memcached/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND_ROOM = NAME_ROOM + 100, SETTINGS_MOST = 1000, ITEM_MOST = 1 << 30 };

/* ---- words ---- */

static bool is_text(struct ses_slice line, const char *text)
{
    return line.len == strlen(text) && begins_with(line, text, line.len);
}

static void skip(struct ses_slice *line, size_t len)
{
    line->data = (const char *)line->data + len;
    line->len -= len;
}

static bool take_text(struct ses_slice *line, const char *text, size_t len)
{
    if (!begins_with(*line, text, len))
        return false;
    skip(line, len);
    return true;
}

static bool take_word(struct ses_slice *line, const char *word)
{
    return take_text(line, word, strlen(word));
}

static bool take_number(struct ses_slice *line, uint64_t *ret)
{
    uint64_t number = 0;
    size_t digits = 0;
    for (; line->len > 0; skip(line, 1), digits++) {
        const char c = *(const char *)line->data;
        if (c < '0' || c > '9')
            break;
        if (number > (UINT64_MAX - 9) / 10)
            return false;
        number = number * 10 + (uint64_t)(c - '0');
    }
    *ret = number;
    return digits > 0;
}

/* ---- sending ---- */

static bool send_line(struct wire *wire, const char *verb, const struct name *name,
                      struct deadline deadline)
{
    char line[COMMAND_ROOM];
    const int len = snprintf(line, sizeof line, "%s %.*s\r\n", verb, (int)name->len, name->text);
    return wire_send(wire, line, (size_t)len, deadline);
}

static char *put(char *at, struct ses_slice bytes)
{
    if (bytes.len > 0)
        memcpy(at, bytes.data, bytes.len);
    return at + bytes.len;
}

static int write_store_line(const struct name *name, const struct storing *storing,
                            char line[COMMAND_ROOM])
{
    static const char *const verbs[] = {
        [STORE_ADD] = "add", [STORE_SET] = "set", [STORE_CAS] = "cas"
    };
    char unique[24] = "";
    if (storing->verb == STORE_CAS)
        (void)snprintf(unique, sizeof unique, " %llu", (unsigned long long)storing->unique);
    return snprintf(line, COMMAND_ROOM, "%s %.*s 0 %lld %zu%s\r\n", verbs[storing->verb],
                    (int)name->len, name->text, (long long)storing->life,
                    storing->head.len + storing->data.len, unique);
}

/* In one piece, so that it leaves in one. */
static enum answer send_store(struct wire *wire, const struct name *name,
                              const struct storing *storing, struct deadline deadline)
{
    static const struct ses_slice end = { "\r\n", 2 };
    char line[COMMAND_ROOM];
    const size_t len = (size_t)write_store_line(name, storing, line);
    char *command = malloc(len + storing->head.len + storing->data.len + end.len);
    if (!command)
        return ANSWER_NO_MEMORY;
    char *at = put(command, (struct ses_slice){ line, len });
    at = put(put(put(at, storing->head), storing->data), end);
    const bool sent = wire_send(wire, command, (size_t)(at - command), deadline);
    free(command);
    return sent ? ANSWER_DONE : ANSWER_LOST;
}

/* ---- answers ---- */

static enum answer rest(struct wire *wire, enum answer answer)
{
    return wire_rest(wire) ? answer : ANSWER_LOST;
}

static enum answer judge_error(struct ses_slice line)
{
    const bool known = is_text(line, "ERROR") || take_word(&line, "CLIENT_ERROR ") ||
                       take_word(&line, "SERVER_ERROR ");
    return known ? ANSWER_REFUSED : ANSWER_LOST;
}

static enum answer judge_store_error(struct ses_slice line)
{
    struct ses_slice what = line;
    if (is_text(line, "SERVER_ERROR object too large for cache"))
        return ANSWER_TOO_LARGE;
    if (take_word(&what, "SERVER_ERROR out of memory") ||
        take_word(&what, "SERVER_ERROR Out of memory"))
        return ANSWER_FULL;
    return judge_error(line);
}

struct reply {
    const char *line;
    enum answer answer;
};

/* An answer of one line, of those that the command has; their list ends with NULL. */
static enum answer hear(struct wire *wire, const struct reply *replies,
                        enum answer (*otherwise)(struct ses_slice line), struct deadline deadline)
{
    struct ses_slice line;
    if (!wire_read_line(wire, deadline, &line))
        return ANSWER_LOST;
    for (; replies->line; replies++) {
        if (is_text(line, replies->line))
            return rest(wire, replies->answer);
    }
    return rest(wire, otherwise(line));
}

static const struct reply store_replies[][4] = {
    [STORE_ADD] = { { "STORED", ANSWER_DONE }, { "NOT_STORED", ANSWER_PRESENT } },
    [STORE_SET] = { { "STORED", ANSWER_DONE } },
    [STORE_CAS] = { { "STORED", ANSWER_DONE },
                    { "EXISTS", ANSWER_CHANGED },
                    { "NOT_FOUND", ANSWER_ABSENT } },
};

static const struct reply delete_replies[] = {
    { "DELETED", ANSWER_DONE },
    { "NOT_FOUND", ANSWER_ABSENT },
    { 0 },
};

/* VALUE name flags bytes unique */
static bool read_head(struct ses_slice line, const struct name *name, uint64_t *ret_len,
                      uint64_t *ret_unique)
{
    uint64_t flags;
    return take_word(&line, "VALUE ") && take_text(&line, name->text, name->len) &&
           take_word(&line, " ") && take_number(&line, &flags) && take_word(&line, " ") &&
           take_number(&line, ret_len) && take_word(&line, " ") && take_number(&line, ret_unique) &&
           line.len == 0;
}

enum answer talk_gets(struct wire *wire, const struct name *name, struct deadline deadline,
                      struct item *ret_item)
{
    static const char end[] = "\r\nEND\r\n";
    struct ses_slice line, bytes;
    uint64_t len;
    if (!send_line(wire, "gets", name, deadline) || !wire_read_line(wire, deadline, &line))
        return ANSWER_LOST;
    if (is_text(line, "END"))
        return rest(wire, ANSWER_ABSENT);
    if (!read_head(line, name, &len, &ret_item->unique))
        return rest(wire, judge_error(line));
    if (len > wire->item_most || !wire_read(wire, len + strlen(end), deadline, &bytes))
        return ANSWER_LOST;
    ret_item->value = (struct ses_slice){ bytes.data, len };
    skip(&bytes, len);
    return is_text(bytes, end) && wire->begin == wire->end ? ANSWER_DONE : ANSWER_LOST;
}

enum answer talk_store(struct wire *wire, const struct name *name, const struct storing *storing,
                       struct deadline deadline)
{
    if (storing->head.len + storing->data.len > wire->item_most)
        return ANSWER_TOO_LARGE;
    const enum answer sent = send_store(wire, name, storing, deadline);
    if (sent != ANSWER_DONE)
        return sent;
    return hear(wire, store_replies[storing->verb], judge_store_error, deadline);
}

enum answer talk_delete(struct wire *wire, const struct name *name, struct deadline deadline)
{
    if (!send_line(wire, "delete", name, deadline))
        return ANSWER_LOST;
    return hear(wire, delete_replies, judge_error, deadline);
}

enum answer talk_version(struct wire *wire, struct deadline deadline)
{
    static const char command[] = "version\r\n";
    struct ses_slice line;
    if (!wire_send(wire, command, strlen(command), deadline) ||
        !wire_read_line(wire, deadline, &line))
        return ANSWER_LOST;
    return rest(wire, take_word(&line, "VERSION ") ? ANSWER_DONE : judge_error(line));
}

/* ---- how it was started ---- */

/* STAT name value */
static void note_setting(struct ses_slice line, struct server_settings *settings)
{
    uint64_t number;
    if (take_word(&line, "item_size_max ") && take_number(&line, &number))
        settings->item_size_max = number < ITEM_MOST ? number : ITEM_MOST;
    settings->without_cas = settings->without_cas || is_text(line, "cas_enabled no");
    settings->without_evictions = settings->without_evictions || is_text(line, "evictions off");
}

enum answer talk_settings(struct wire *wire, struct deadline deadline,
                          struct server_settings *ret_settings)
{
    static const char command[] = "stats settings\r\n";
    struct server_settings settings = { .item_size_max = 1 << 20 };
    struct ses_slice line;
    if (!wire_send(wire, command, strlen(command), deadline))
        return ANSWER_LOST;
    for (int lines = 0; lines < SETTINGS_MOST; lines++) {
        if (!wire_read_line(wire, deadline, &line))
            return ANSWER_LOST;
        if (is_text(line, "END")) {
            *ret_settings = settings;
            return rest(wire, ANSWER_DONE);
        }
        if (!take_word(&line, "STAT "))
            return rest(wire, judge_error(line));
        note_setting(line, &settings);
    }
    return ANSWER_LOST;
}
