/* SPDX-License-Identifier: MIT */
#include "core/info.h"

#include "base/abi.h"

/* Out of memory is an error, not a text that is absent: NULL would say that nobody is logged in. */
static int info_text(struct arena *arena, struct ses_slice text, const char **ret_text)
{
    *ret_text = text.len > 0 ? arena_text(arena, text) : NULL;
    return text.len > 0 && !*ret_text ? SES_ERR_NO_MEMORY : SES_OK;
}

static int info_texts(struct arena *arena, const struct record_header *header,
                      struct ses_info *info)
{
    int r = info_text(arena, header->user, &info->user);
    if (r == SES_OK)
        r = info_text(arena, header->peer, &info->peer);
    if (r == SES_OK)
        r = info_text(arena, header->user_agent, &info->user_agent);
    return r;
}

static void write_hex(struct ses_slice bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes.data;
    for (size_t i = 0; i < bytes.len; i++) {
        *out++ = digits[at[i] >> 4];
        *out++ = digits[at[i] & 15];
    }
    *out = '\0';
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool handle_parse(const char *text, unsigned char handle[HANDLE_BYTES])
{
    for (size_t i = 0; i < HANDLE_BYTES; i++) {
        const int high = digit_of(text[2 * i]);
        const int low = high < 0 ? -1 : digit_of(text[2 * i + 1]);
        if (low < 0)
            return false;
        handle[i] = (unsigned char)(high << 4 | low);
    }
    return text[(size_t)2 * HANDLE_BYTES] == '\0';
}

/* The expiry moves with each use, unless the absolute end holds it: then nothing better is known
 * than that it was used within the idle time before. */
int64_t info_seen_ms(const ses_manager *manager, const struct record_header *header,
                     int64_t expires_ms)
{
    const int64_t idle_s = header->idle_s > 0 ? header->idle_s : manager->config.idle_s;
    const int64_t seen_ms = expires_ms - idle_s * 1000;
    return seen_ms > header->absolute_base_ms ? seen_ms : header->absolute_base_ms;
}

int info_fill(const ses_manager *manager, const struct snapshot *snapshot, struct arena *arena,
              struct ses_info *ret_info)
{
    const struct record_header *header = &snapshot->record.header;
    const int64_t end_ms = limits_absolute_end(manager, header);
    *ret_info = (struct ses_info){
        .size = sizeof *ret_info,
        .created_ms = header->created_ms,
        .expires_ms = snapshot->expires_ms,
        .level = (int)header->level,
        .auth_ms = header->auth_ms,
        .seen_ms = info_seen_ms(manager, header, snapshot->expires_ms),
        .end_ms = end_ms == INT64_MAX ? 0 : end_ms,
        .suspected_ms = header->suspected_ms,
        .remembered = snapshot->kind == SES_KIND_TOKEN,
    };
    write_hex(header->handle, ret_info->handle);
    return info_texts(arena, header, ret_info);
}

static void fill_fresh(const ses_session *session, struct ses_info *ret_info)
{
    const int64_t now_ms = manager_now_ms(session->manager);
    const struct record_header unsaved = { .absolute_base_ms = now_ms };
    const int64_t end_ms = limits_absolute_end(session->manager, &unsaved);
    *ret_info = (struct ses_info){
        .created_ms = now_ms,
        .seen_ms = now_ms,
        .expires_ms = limits_next_expiry(session->manager, &unsaved, now_ms),
        .end_ms = end_ms == INT64_MAX ? 0 : end_ms,
        .suspected_ms = session->suspected_ms,
    };
}

int ses_info(ses_session *session, struct ses_info *ret_info)
{
    struct ses_info info;
    int r = SES_OK;
    if (session->snapshot.blob && session->state != SESSION_ENDED)
        r = info_fill(session->manager, &session->snapshot, &session->arena, &info);
    else
        fill_fresh(session, &info);
    if (r < 0)
        return r;
    info.is_new = session->fresh;
    const size_t first_size = offsetof(struct ses_info, remembered) + sizeof info.remembered;
    return abi_copy_out(ret_info, ret_info->size, &info, sizeof info, first_size);
}
