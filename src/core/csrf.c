/* SPDX-License-Identifier: MIT */
#include "core/session.h"

#include "base/base64url.h"
#include "base/random.h"
#include "base/slice.h"

/*
 * A token is: mask | mask XOR secret. The secret stays in the record; the mask is new each time, so
 * that no two pages hold the same bytes, and a compressed one tells nothing by its length.
 */
enum { TOKEN_BYTES = 2 * CSRF_BYTES };

_Static_assert(BASE64URL_LEN(TOKEN_BYTES) < sizeof(((struct ses_csrf_token *)0)->text),
               "a token fits its struct");

static const unsigned char *find_secret(const ses_session *session)
{
    const struct ses_slice stored = session_header(session)->csrf;
    return stored.len == CSRF_BYTES ? stored.data : session->patch.csrf;
}

/* For a session that is new, or was stored without one: the commit stores it. */
static int make_secret(ses_session *session)
{
    int r = session->cut ? SES_ERR_GONE : session_changeable(session);
    if (r < 0)
        return r;
    unsigned char *secret = arena_alloc(&session->arena, CSRF_BYTES);
    if (!secret)
        return SES_ERR_NO_MEMORY;
    r = random_bytes(secret, CSRF_BYTES);
    if (r == SES_OK)
        session->patch.csrf = secret;
    return r;
}

static int mask(const unsigned char secret[CSRF_BYTES], unsigned char token[TOKEN_BYTES])
{
    int r = random_bytes(token, CSRF_BYTES);
    for (size_t i = 0; r == SES_OK && i < CSRF_BYTES; i++)
        token[CSRF_BYTES + i] = (unsigned char)(token[i] ^ secret[i]);
    return r;
}

int ses_csrf_token(ses_session *session, struct ses_csrf_token *ret_token)
{
    unsigned char token[TOKEN_BYTES];
    int r = find_secret(session) ? SES_OK : make_secret(session);
    if (r == SES_OK)
        r = mask(find_secret(session), token);
    if (r < 0)
        return r;
    *ret_token = (struct ses_csrf_token){ 0 };
    base64url_encode(token, sizeof token, ret_token->text);
    return SES_OK;
}

/* How long it takes does not depend on where they differ. */
static bool token_matches(const unsigned char token[TOKEN_BYTES], const unsigned char *secret)
{
    unsigned differ = 0;
    for (size_t i = 0; i < CSRF_BYTES; i++)
        differ |= (unsigned)(token[i] ^ token[CSRF_BYTES + i] ^ secret[i]);
    return differ == 0;
}

int ses_csrf_check(ses_session *session, const char *token)
{
    unsigned char bytes[TOKEN_BYTES + 3];
    const unsigned char *secret = find_secret(session);
    const struct ses_slice text = { token,
                                    token ? strnlen(token, sizeof(struct ses_csrf_token)) : 0 };
    if (secret && text.len == BASE64URL_LEN(TOKEN_BYTES) && base64url_decode(text, bytes) &&
        token_matches(bytes, secret))
        return SES_OK;
    session_tell(session, SES_EVENT_CSRF);
    return SES_ERR_DENIED;
}
