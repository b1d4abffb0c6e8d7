/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_PROXY_H
#define SES_CORE_PROXY_H

/*
 * Who asked, and did the request come by TLS? Headers of a proxy are believed only when the
 * connection comes from an address that the configuration trusts.
 */

#include <sesame/http.h>

/* An address (of 128 bits) or a network. IPv4 is kept as ::ffff:a.b.c.d, so that one comparison
 * serves both families. */
struct network {
    unsigned char address[16];
    unsigned bits;
};

enum { V4_MAPPED_BITS = 96 };

/* False: not an address. */
bool address_parse(const char *text, struct network *ret_address);
bool address_parse_slice(struct ses_slice text, struct network *ret_address);
bool address_is_v4(const struct network *address);

/* Do the network's leading bits stand in @p address, too? */
bool network_holds(const struct network *network, const struct network *address);

struct proxy_list;

/* From "10.0.0.0/8, 192.0.2.7, fd00::/8". On SES_ERR_INVALID *ret_bad is the entry that is not an
 * address or network. An empty text trusts nobody, and gives NULL. */
int proxy_list_parse(const char *text, struct proxy_list **ret_list, struct ses_slice *ret_bad);
void proxy_list_free(struct proxy_list *list);

/* Does it trust every IPv4 address, or every address? Accepts NULL. */
bool proxy_list_trusts_all(const struct proxy_list *list);

enum {
    PEER_TEXT_MAX = 46,                   /* INET6_ADDRSTRLEN */
    NETWORK_TEXT_MAX = PEER_TEXT_MAX + 4, /* with "/128" */
};

/* The network of an entry that is bad only because it has bits beyond the network's: of
 * "10.0.0.1/8" that is "10.0.0.0/8". False for all others. */
bool proxy_network_of(struct ses_slice entry, char out[NETWORK_TEXT_MAX]);

struct origin {
    bool tls;
    char peer[PEER_TEXT_MAX]; /* canonical; "" when unknown */
};

/*
 * X-Forwarded-For is read from its right end: each entry was added by the hop after it, so the
 * first address that is not a trusted proxy is the client; what stands left of it, anybody can have
 * written. X-Forwarded-Proto: the last entry.
 */
struct origin origin_of(const struct proxy_list *trusted, const struct ses_request *request);

#endif
