/* proxies.h - whom a connection speaks for: proxies that are trusted name their client in
 * X-Forwarded-For. Implemented in server/http/proxies.c. Immutable once opened: any thread. */
#ifndef PROXIES_H
#define PROXIES_H
#include "cam_error.h"
#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

/* An address of either kind: IPv4 is ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
typedef struct peer_address {
  uint8_t bytes[16];
} peer_address;
peer_address peer_address_of(const struct sockaddr *socket_address);
/* "192.0.2.1" or "2001:db8::1" */
enum { PEER_TEXT = 48 };
void peer_address_text(const peer_address *address, char out[PEER_TEXT]);

struct proxies;
enum { PROXIES_MOST = 64 };
/* list: addresses and networks ("192.0.2.1, 10.0.0.0/8, 2001:db8::/32"), comma separated. CAM_OK:
 * *out is the caller's, for proxies_free; NULL where list is empty: none is trusted. Else
 * CAM_E_PARAMETER names the entry. */
cam_code proxies_open(const char *list, struct proxies **out, cam_error *error);
void proxies_free(struct proxies *proxies); /* NULL is allowed */

bool proxies_trust(const struct proxies *proxies, const peer_address *address);
/* The client of a request that came from `from`, where that is trusted: forwarded_for (NULL: none)
 * is read from the right, since each proxy appends whom it heard; the first that is not trusted is
 * the client, and what stands left of it the client may have made up. Where there is none, or an
 * entry that is no address comes first: from itself. */
peer_address proxies_client(const struct proxies *proxies, const peer_address *from,
                            const char *forwarded_for);

#endif
