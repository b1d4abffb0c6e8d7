/* SPDX-License-Identifier: MIT */
#include "provider/conformance.h"

extern const struct ses_provider_ops ses_provider_memory;

int main(void)
{
    return conformance_run(&(struct conformance_subject){ .ops = &ses_provider_memory });
}
