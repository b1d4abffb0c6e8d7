/* SPDX-License-Identifier: MIT */
#include <sesame/ext/conformance.h>

extern const struct ses_provider_ops ses_provider_memory;

int main(void)
{
    const struct ses_conformance subject = { .size = sizeof subject, .ops = &ses_provider_memory };
    return ses_conformance_run(&subject);
}
