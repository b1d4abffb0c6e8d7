/* SPDX-License-Identifier: MIT */
#include "core/proxy.h"

#include "base/cleanup.h"
#include "base/slice.h"

#include <sesame/error.h>

#include <arpa/inet.h>
#include <stdio.h>

enum {
    HOPS_MAX = 32,
    HOP_TEXT_MAX = PEER_TEXT_MAX + 8, /* with "[]:65535" */
};

struct proxy_list {
    size_t count;
    struct network networks[];
};

/* ---- addresses ---- */

bool address_parse(const char *text, struct network *ret_address)
{
    struct in_addr v4;
    ret_address->bits = 128;
    if (strchr(text, ':'))
        return inet_pton(AF_INET6, text, ret_address->address) == 1;
    if (inet_pton(AF_INET, text, &v4) != 1)
        return false;
    memset(ret_address->address, 0, 10);
    memset(ret_address->address + 10, 0xff, 2);
    memcpy(ret_address->address + 12, &v4, 4);
    return true;
}

bool address_is_v4(const struct network *address)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    return slice_equal((struct ses_slice){ address->address, 12 },
                       (struct ses_slice){ mapped, 12 });
}

bool network_holds(const struct network *network, const struct network *address)
{
    const unsigned whole = network->bits / 8, rest = network->bits % 8;
    const struct ses_slice ours = { network->address, whole }, theirs = { address->address, whole };
    if (!slice_equal(ours, theirs))
        return false;
    return rest == 0 || (network->address[whole] ^ address->address[whole]) >> (8 - rest) == 0;
}

static char *write_octet(char *at, unsigned octet)
{
    if (octet >= 100)
        *at++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *at++ = (char)('0' + octet / 10 % 10);
    *at++ = (char)('0' + octet % 10);
    return at;
}

/* Each request has its peer written, and most are IPv4: inet_ntop() takes 100 ns for that, this 10.
 */
static void write_v4(const unsigned char octets[4], char *at)
{
    for (int i = 0; i < 4; i++) {
        at = write_octet(at, octets[i]);
        *at++ = i < 3 ? '.' : '\0';
    }
}

static void write_address(const struct network *network, char out[PEER_TEXT_MAX])
{
    if (address_is_v4(network))
        write_v4(network->address + 12, out);
    else if (!inet_ntop(AF_INET6, network->address, out, PEER_TEXT_MAX))
        out[0] = '\0';
}

/* What does not fit is no address. */
static bool copy_text(struct ses_slice text, char *out, size_t size)
{
    if (text.len == 0 || text.len >= size)
        return false;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return strlen(out) == text.len;
}

bool address_parse_slice(struct ses_slice text, struct network *ret_address)
{
    char copy[PEER_TEXT_MAX];
    return copy_text(text, copy, sizeof copy) && address_parse(copy, ret_address);
}

static bool parse_bits(const char *text, unsigned limit, unsigned *ret_bits)
{
    unsigned bits = 0;
    if (*text == '\0' || strlen(text) > 3)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        bits = bits * 10 + (unsigned)(*text - '0');
    }
    *ret_bits = bits;
    return bits <= limit;
}

static bool parse_network(struct ses_slice entry, struct network *ret)
{
    char text[NETWORK_TEXT_MAX];
    if (!copy_text(entry, text, sizeof text))
        return false;
    char *slash = strchr(text, '/');
    if (slash)
        *slash = '\0';
    if (!address_parse(text, ret))
        return false;
    if (!slash)
        return true;

    const bool v4 = strchr(text, ':') == NULL;
    unsigned bits;
    if (!parse_bits(slash + 1, v4 ? 32 : 128, &bits))
        return false;
    ret->bits = bits + (v4 ? V4_MAPPED_BITS : 0);
    return true;
}

/* The network without the bits of an address in it. */
static struct network clear_rest(const struct network *network)
{
    struct network cleared = *network;
    for (unsigned bit = network->bits; bit < 128; bit++)
        cleared.address[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
    return cleared;
}

static bool is_clear(const struct network *network)
{
    const struct network cleared = clear_rest(network);
    return memcmp(cleared.address, network->address, sizeof cleared.address) == 0; /* not secret */
}

bool proxy_network_of(struct ses_slice entry, char out[NETWORK_TEXT_MAX])
{
    struct network network;
    char address[PEER_TEXT_MAX];
    if (!parse_network(entry, &network) || is_clear(&network))
        return false;
    network = clear_rest(&network);
    const bool v4 = network.bits >= V4_MAPPED_BITS && address_is_v4(&network);
    write_address(&network, address);
    (void)snprintf(out, NETWORK_TEXT_MAX, "%s/%u", address,
                   network.bits - (v4 ? V4_MAPPED_BITS : 0));
    return true;
}

/* ---- the list ---- */

int proxy_list_parse(const char *text, struct proxy_list **ret_list, struct ses_slice *ret_bad)
{
    *ret_list = NULL;
    if (slice_trim(slice_of_text(text)).len == 0)
        return SES_OK;

    size_t entries = 1;
    for (const char *c = text; *c; c++)
        entries += *c == ',';
    CLEANUP(free)
    struct proxy_list *list = malloc(sizeof *list + entries * sizeof list->networks[0]);
    if (!list)
        return SES_ERR_NO_MEMORY;

    list->count = 0;
    for (const char *at = text; list->count < entries; list->count++) {
        const char *end = strchrnul(at, ',');
        const struct ses_slice entry = slice_trim(slice_between(at, end));
        struct network *network = &list->networks[list->count];
        if (!parse_network(entry, network) || !is_clear(network)) {
            *ret_bad = entry;
            return SES_ERR_INVALID;
        }
        at = end + 1;
    }
    *ret_list = steal(&list);
    return SES_OK;
}

void proxy_list_free(struct proxy_list *list)
{
    free(list);
}

bool proxy_list_trusts_all(const struct proxy_list *list)
{
    for (size_t i = 0; list && i < list->count; i++) {
        const struct network *network = &list->networks[i];
        if (network->bits == 0 || (network->bits == V4_MAPPED_BITS && address_is_v4(network)))
            return true;
    }
    return false;
}

static bool is_trusted(const struct proxy_list *list, const struct network *address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (network_holds(&list->networks[i], address))
            return true;
    }
    return false;
}

/* ---- the origin of a request ---- */

/* "192.0.2.7", "192.0.2.7:4711", "2001:db8::1" or "[2001:db8::1]:4711". */
static bool parse_forwarded(struct ses_slice entry, struct network *ret)
{
    char text[HOP_TEXT_MAX];
    if (!copy_text(entry, text, sizeof text))
        return false;

    char *start = text;
    char *colon = strchr(text, ':');
    if (*text == '[') {
        char *close = strchr(text, ']');
        if (!close)
            return false;
        *close = '\0';
        start++;
    } else if (colon && !strchr(colon + 1, ':')) {
        *colon = '\0';
    }
    return address_parse(start, ret);
}

/* Walks the entries of one field from its right end. True: the client was found, or the chain
 * broke. */
static bool walk_field(const struct proxy_list *trusted, const char *field, struct network *peer,
                       size_t *hops)
{
    const char *end = field + strlen(field);
    while (*hops < HOPS_MAX) {
        const char *comma = memrchr(field, ',', (size_t)(end - field));
        struct network next;
        ++*hops;
        if (!parse_forwarded(slice_trim(slice_between(comma ? comma + 1 : field, end)), &next))
            return true;
        *peer = next;
        if (!is_trusted(trusted, peer))
            return true;
        if (!comma)
            return false;
        end = comma;
    }
    return true;
}

static void follow_forwarded(const struct proxy_list *trusted, const struct ses_request *request,
                             struct network *peer)
{
    size_t hops = 0;
    for (size_t nth = 0; nth < HOPS_MAX; nth++) {
        const char *field = request->header(request->header_arg, "X-Forwarded-For", nth);
        if (!field || walk_field(trusted, field, peer, &hops))
            return;
    }
}

static bool forwarded_tls(const struct ses_request *request, bool otherwise)
{
    const char *field = request->header(request->header_arg, "X-Forwarded-Proto", 0);
    if (!field)
        return otherwise;
    const char *comma = strrchr(field, ',');
    const char *start = comma ? comma + 1 : field;
    const struct ses_slice scheme = slice_trim(slice_of_text(start));
    return scheme.len == 5 && ascii_starts(scheme.data, "https");
}

struct origin origin_of(const struct proxy_list *trusted, const struct ses_request *request)
{
    struct origin origin = { .tls = request->tls };
    struct network peer;
    if (!request->peer || !address_parse(request->peer, &peer))
        return origin;

    if (trusted && request->header && is_trusted(trusted, &peer)) {
        origin.tls = forwarded_tls(request, request->tls);
        follow_forwarded(trusted, request, &peer);
    }
    write_address(&peer, origin.peer);
    return origin;
}
