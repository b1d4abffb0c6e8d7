/* SPDX-License-Identifier: MIT */
/* The smallest provider that keeps the contract: none of the optional operations. What it is not
 * tested for must not look like a failure. */
#include "support/fake_provider.h"

#include <sesame/ext/conformance.h>

int main(void)
{
    struct ses_provider_ops bare = ses_provider_fake;
    bare.name = "bare";
    bare.flags |= SES_PROVIDER_EXPIRES;
    bare.gc = NULL;
    bare.count = NULL;
    bare.iterate = NULL;
    bare.list = NULL;
    bare.ping = NULL;
    const struct ses_conformance subject = { .size = sizeof subject, .ops = &bare };
    return ses_conformance_run(&subject);
}
