/* SPDX-License-Identifier: MIT */
#include "core/binding.h"

#include "base/slice.h"

/* As the session records it: cut, and of printable ASCII. */
static bool other_agent(struct ses_slice recorded, struct ses_slice user_agent)
{
    const char *ours = recorded.data, *theirs = user_agent.data;
    const size_t len = user_agent.len < USER_AGENT_MAX ? user_agent.len : USER_AGENT_MAX;
    if (recorded.len == 0)
        return false;
    if (recorded.len != len)
        return true;
    if (memcmp(ours, theirs, len) == 0) /* not secret; nearly always */
        return false;
    for (size_t i = 0; i < len; i++) {
        if (ours[i] != agent_byte(theirs[i]))
            return true;
    }
    return false;
}

static bool other_network(const struct config *config, struct ses_slice recorded, const char *peer)
{
    struct network home, address;
    if (slice_equal(recorded, slice_of_text(peer))) /* nearly always: parsing takes 70 ns */
        return false;
    if (!address_parse_slice(recorded, &home) || !address_parse(peer, &address))
        return false;
    const bool v4 = address_is_v4(&home);
    if (v4 != address_is_v4(&address))
        return true;
    home.bits = (unsigned)(v4 ? V4_MAPPED_BITS + config->bind_prefix_4 : config->bind_prefix_6);
    return !network_holds(&home, &address);
}

bool binding_demanded(const struct config *config, enum ses_reason fault)
{
    return (fault == SES_REASON_AGENT && config->bind_user_agent == BINDING_DEMAND) ||
           (fault == SES_REASON_NETWORK && config->bind_network == BINDING_DEMAND);
}

enum ses_reason binding_fault(const struct config *config, const struct record_header *header,
                              const struct origin *origin, struct ses_slice user_agent)
{
    const bool agent =
        config->bind_user_agent != BINDING_OFF && other_agent(header->user_agent, user_agent);
    const bool network =
        config->bind_network != BINDING_OFF && other_network(config, header->peer, origin->peer);
    if (agent && (!network || config->bind_user_agent == BINDING_DEMAND))
        return SES_REASON_AGENT;
    return network ? SES_REASON_NETWORK : SES_REASON_NONE;
}
