/* SPDX-License-Identifier: MIT */
#include "support/fake_provider.h"

#include <sesame/ext/conformance.h>

int main(void)
{
    const struct ses_conformance subject = { .size = sizeof subject, .ops = &ses_provider_fake };
    return ses_conformance_run(&subject);
}
