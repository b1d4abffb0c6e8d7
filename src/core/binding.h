/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_BINDING_H
#define SES_CORE_BINDING_H

/*
 * Does a request come from where its session began (S-63)? From another browser, or from another
 * network, is a hint that the id was stolen; both change for honest visitors, too. So each is off,
 * a signal, or demanded, as the configuration has it.
 */

#include "core/config.h"
#include "core/record.h"

#include <sesame/manager.h>

/*
 * SES_REASON_AGENT, SES_REASON_NETWORK, or SES_REASON_NONE. Of two faults the one that is demanded
 * comes first. What the record does not say is no fault; nor is an address that is not known on
 * either side. A request without a user agent has another than the record's.
 *
 * @p user_agent as it was received, or as it was recorded.
 */
enum ses_reason binding_fault(const struct config *config, const struct record_header *header,
                              const struct origin *origin, struct ses_slice user_agent);

/* Does the configuration demand that there is no such fault? */
bool binding_demanded(const struct config *config, enum ses_reason fault);

/* A byte of a user agent as it is recorded, so that the record's text is printable ASCII. */
static inline char agent_byte(char c)
{
    if (c >= 0x20 && c <= 0x7e)
        return c;
    return '?';
}

#endif
