/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_SQL_SHOP_H
#define SES_TEST_PROVIDER_SQL_SHOP_H

#include "provider/fixture.h"

/* A store of a provider over SQL (provider/fixture.h), opened with some text, and what it tells. */
struct sql_shop {
    struct fixture f; /* first */
    struct ses_conformance subject;
    atomic_int lost, back; /* how often the store was found so */
    atomic_int lines;
    pthread_mutex_t mutex;
    char told[512];    /* the last line of the log */
    char all[1 << 14]; /* the first ones */
};

/* @p settings NULL: those below, and a busy machine may take its time to open it.
 * @return the code of opening; on failure there is no store, and nothing to close. */
int sql_shop_open(struct sql_shop *shop, const struct ses_provider_ops *ops, const char *config,
                  void (*settings)(void *instance));
void sql_shop_close(struct sql_shop *shop);

/* What the cases run on that are the same for all databases. */
struct sql_subject {
    const struct ses_provider_ops *ops;
    const char *config;               /* with neither " nor \ in it */
    void (*settings)(void *instance); /* NULL: of a shop; in a storm, the patient ones */
    void (*settle)(void); /* until the server is done with what a killed client has sent; or NULL */
    void (*check)(void);  /* is the database itself sound? Or NULL */
};
extern struct sql_subject sql_subject; /* to be set before */

/* The settings as they are without any, but that a missing table is made. */
void sql_shop_settings(void *instance);

/* The same where nothing is about time: a busy machine may stand still. */
void sql_patient_settings(void *instance);

#endif
