/* SPDX-License-Identifier: MIT */
#include "flash.h"

#include <string.h>

#define FLASH_KEY "flash"

int flash_set(ses_session *session, const char *text)
{
    return ses_set_text(session, FLASH_KEY, text);
}

int flash_take(struct exchange *x)
{
    struct ses_value value;
    /* Whoever asks by HEAD shows nothing. */
    if (strcmp(x->method, MHD_HTTP_METHOD_GET) != 0 ||
        ses_type_of(x->session, FLASH_KEY) != SES_TYPE_TEXT)
        return SES_OK;
    int r = ses_take(x->session, FLASH_KEY, &value);
    if (r == SES_OK && value.type == SES_TYPE_TEXT)
        x->flash = value.bytes;
    return r == SES_ERR_NOT_FOUND ? SES_OK : r; /* another tab was faster */
}
