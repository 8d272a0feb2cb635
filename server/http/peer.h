/* peer.h - a connection, from its first byte to its end. Implemented in server/http/peer.c. Thread:
 * the connection's. */
#ifndef PEER_H
#define PEER_H
#include "proxies.h"
#include "watch.h"

struct peer {
  struct watched *watched;
  peer_address address;
  int64_t requests; /* that have begun */
};

/* NULL: no memory; the connection has no deadline then, and must end. */
struct peer *peer_open(struct watch *watch, int socket, const struct sockaddr *address);
void peer_close(struct watch *watch, struct peer *peer); /* NULL is allowed */

#endif
