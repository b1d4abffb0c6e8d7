/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_SERVER_FAULTS_H
#define SES_TEST_PROVIDER_SERVER_FAULTS_H

#include "provider/fixture.h"
#include "support/proxy.h"
#include "support/server.h"

/*
 * What becomes of calls while the server is gone, stands still, or answers half: the suite that
 * every provider with a server runs. A program starts its server, describes it, and adds the cases
 * that are its own:
 *
 *     redis_start(&server, NULL);
 *     const struct fault_subject subject = { .ops = &ses_provider_redis, .server = &server, ... };
 *     return server_faults_run(&subject, own);
 */

enum {
    FAULT_BUDGET_MS = 2000, /* unless a case sets another; one call waits for half of it */
    FAULT_SLACK_MS = 2000,  /* that a busy machine may take longer */
};

/* What a case asks of its subject; one that lacks it is not tested for it. */
enum {
    FAULT_KEEPS = 1 << 0,             /* what is stored outlives the server's process */
    FAULT_FORGETS = 1 << 1,           /* it does not */
    FAULT_SAVES_IN_ONE_TRIP = 1 << 2, /* once it has done so before */
};

/* After how many bytes answers end: every number below `dense`, from there on every `step`-th. */
struct fault_sweep {
    unsigned dense, step, end;
};

struct fault_subject {
    const struct ses_provider_ops *ops;
    void (*settings)(void *instance);
    size_t pool_at;   /* where in an instance its pool_size is before it is opened, */
    size_t budget_at; /* and its budget_ms from then on; both are int64_t */

    struct server *server; /* runs */
    bool (*answers)(const struct server *server);
    void (*kill)(struct server *server);
    void (*freeze)(struct server *server);
    void (*thaw)(struct server *server);

    const char *socket;                                      /* the server's */
    const char *config;                                      /* leads to it */
    void (*write_config)(int port, char *text, size_t size); /* leads to that port of loopback */

    unsigned traits;
    size_t large_bytes;        /* a record that the server takes */
    struct fault_sweep cuts;   /* over all the answers of some calls */
    unsigned saves_cut_least;  /* so many of them hit a save */
    struct fault_sweep halves; /* over less than the answer to one load */
    unsigned refused_least;    /* of 98 loads with changed bytes */
};

/* @p own ends with an empty test, and needs nothing of the subject. @return main()'s. */
int server_faults_run(const struct fault_subject *subject, const struct CMUnitTest *own);

/* ---- for the cases ---- */

extern const struct fault_subject *fault_subject; /* of the running program */
extern struct proxy fault_proxy;                  /* before its server */

/* A store of the subject's, and what it tells. */
struct fault_shop {
    struct fixture f;      /* first */
    atomic_int lost, back; /* how often the store was found so */
    atomic_int lines;      /* of the log */
    atomic_bool open;
};

struct fault_shop *fault_open_direct(void);
struct fault_shop *fault_open_with_pool(int64_t size);
struct fault_shop *fault_open_by_proxy(void);
void fault_set_budget(struct fault_shop *shop, int64_t budget_ms);
void fault_close(struct fault_shop *shop);

int fault_load(struct fixture *f, const struct ses_key *key);

/* Calls until it answers like that; meanwhile it may say nothing but that it cannot tell. */
void fault_load_until(struct fixture *f, const struct ses_key *key, int code);

void fault_restart(void); /* after a kill */

#define FAULT_FOR(name, needs)                                                                     \
 {                                                                                                 \
#  name, name, NULL, NULL, (void *)(uintptr_t)(needs)                                              \
 }
#define FAULT(name) FAULT_FOR(name, 0)

/* The parts of the suite; each array ends with an empty test. */
extern const struct CMUnitTest server_faults_gone[];
extern const struct CMUnitTest server_faults_answers[];

#endif
