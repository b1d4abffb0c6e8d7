/* SPDX-License-Identifier: MIT */
#include <sesame/error.h>

const char *ses_strerror(int code)
{
    switch (code) {
    case SES_OK:
        return "ok";
    case SES_ERR_NOT_FOUND:
        return "not found";
    case SES_ERR_EXISTS:
        return "already exists";
    case SES_ERR_CONFLICT:
        return "the session was changed by too many others at once";
    case SES_ERR_GONE:
        return "the session ended or changed its id meanwhile";
    case SES_ERR_TOO_LARGE:
        return "over the size limit";
    case SES_ERR_WRONG_TYPE:
        return "the value is of another type";
    case SES_ERR_DENIED:
        return "denied by policy";
    case SES_ERR_FULL:
        return "the session store is full";
    case SES_ERR_INVALID:
        return "invalid argument or state";
    case SES_ERR_NO_MEMORY:
        return "out of memory";
    case SES_ERR_UNAVAILABLE:
        return "the session store is unavailable";
    case SES_ERR_CORRUPT:
        return "the stored session does not decode";
    case SES_ERR_UNSUPPORTED:
        return "not supported by this provider";
    case SES_ERR_ABI:
        return "the struct comes from an incompatible build";
    case SES_ERR_NO_RANDOMNESS:
        return "the kernel gives no randomness";
    default:
        return "unknown error";
    }
}
