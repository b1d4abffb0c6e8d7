/* SPDX-License-Identifier: MIT */
#include "provider/conformance.h"
#include "support/fake_provider.h"

int main(void)
{
    return conformance_run(&(struct conformance_subject){ .ops = &ses_provider_fake });
}
