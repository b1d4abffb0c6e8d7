/* SPDX-License-Identifier: MIT */
/* A program without loadable modules names the providers that it links; here before main(). */
#include <sesame/manager.h>

#include <stdlib.h>

extern const struct ses_provider_ops ses_provider_shelf;

__attribute__((constructor)) static void add_shelf(void)
{
    if (ses_provider_register(&ses_provider_shelf) < 0)
        abort();
}
