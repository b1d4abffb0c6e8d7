/* SPDX-License-Identifier: MIT */
#include "provider/postgres_fixture.h"

#include <sesame/ext/conformance.h>

int main(void)
{
    static struct server server;
    char words[WORDS_ROOM];
    postgres_start(&server, NULL);
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_postgres,
        .provider_config = postgres_words(&server, "", words),
        .settings = sql_patient_settings,
        .shared = true,
    };
    return ses_conformance_run(&subject);
}
