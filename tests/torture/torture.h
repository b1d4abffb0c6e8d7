/* SPDX-License-Identifier: MIT */
#ifndef SES_TORTURE_H
#define SES_TORTURE_H

/* What the targets share: a manager, a clock that they move, and a browser with one cookie. */

#include <sesame/sesame.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Ends the program: what must not fail here is no finding, but leaves none to be made. */
void must(int code, const char *what);

ses_manager *manager_with(const char *json, const struct ses_manager_options *options);
uint64_t count_sessions(ses_manager *manager);

/* Makes a session with "n" = 0. */
void new_session(ses_manager *manager, char id[256]);

/* ---- a manager whose events are counted, and whose clock stands until it is moved ---- */

struct stage {
    ses_manager *manager;
    _Atomic int64_t now_ms;
    _Atomic uint64_t rejected; /* of any reason */
    _Atomic uint64_t unknown;  /* of them, those not found */
    _Atomic uint64_t stolen;   /* of them, for a theft */
    _Atomic uint64_t thefts;
};

void stage_open(struct stage *stage, const char *json);
void stage_close(struct stage *stage);

/* Moves the clock, and now and then frees what has run out. */
void stage_pass(struct stage *stage, int64_t ms);

/* ---- a browser with one cookie ---- */

struct browser {
    char cookie[256]; /* "name=value"; "" when there is none */
};

ses_session *visit(const struct stage *stage, const struct browser *browser);

/* Commits, keeps what the response says of the session's cookie, and releases. */
void finish(ses_session *session, struct browser *browser);
const char *id_of(const struct browser *browser);
bool is_stored(ses_session *session);

/* Does a request of this browser find a session? */
bool is_known(const struct stage *stage, const struct browser *browser);

/* splitmix64 */
uint64_t next_random(uint64_t *state);

/* ---- the targets: how many findings ---- */

uint64_t fixation(uint64_t rounds);
uint64_t replay(uint64_t rounds);
uint64_t unknown(uint64_t rounds);
uint64_t made_up(uint64_t rounds);
uint64_t empty(uint64_t rounds);
uint64_t ids(uint64_t rounds);

uint64_t renewal(uint64_t rounds);
uint64_t theft(uint64_t rounds);
uint64_t login(uint64_t rounds);

uint64_t destroy(uint64_t rounds);
uint64_t regenerate(uint64_t rounds);
uint64_t increments(uint64_t rounds);
uint64_t end(uint64_t rounds);

uint64_t time_sealed(uint64_t samples);
uint64_t time_ids(uint64_t samples);
uint64_t time_checks(uint64_t samples);
uint64_t time_csrf(uint64_t samples);

#endif
