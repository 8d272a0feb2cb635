/* acceptor.h - the thread that accepts a port's connections, as many as are allowed, and hands each
 * over. Names no HTTP library. Implemented in server/http/acceptor.c.
 *
 * At the limit of connections it accepts no more until one ends: those that come wait in the
 * kernel's queue. A connection is closed at once if its address has as many as one may have;
 * trusted proxies may have any number. */
#ifndef ACCEPTOR_H
#define ACCEPTOR_H
#include "listener.h"
#include "proxies.h"
#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

struct acceptor;

typedef struct acceptor_terms {
  int64_t connections, per_address;
  const struct proxies *trusted;
  /* Takes over a socket, which it closes if it returns false. Called on the acceptor's thread. */
  bool (*take)(void *closure, int socket, const struct sockaddr *address, socklen_t n);
  void *closure;
  atomic_ullong *refused; /* counts who was closed at once */
} acceptor_terms;

/* NULL: no memory. The listener is the acceptor's to close. */
struct acceptor *acceptor_new(const struct listener *listener, const acceptor_terms *terms);
/* Starts to accept. False: there is no thread for it. */
bool acceptor_start(struct acceptor *acceptor);
/* Accepts what has connected so far, and closes the listener: from here on connections are refused.
 * Again, or before acceptor_start: it only closes. */
void acceptor_stop(struct acceptor *acceptor);
void acceptor_free(struct acceptor *acceptor); /* stopped, and all connections closed; NULL too */

/* What becomes of a socket that was taken. Any thread. */
void acceptor_opened(struct acceptor *acceptor, int socket);
void acceptor_heard(struct acceptor *acceptor, int socket);  /* its first request has begun */
void acceptor_closed(struct acceptor *acceptor, int socket); /* it is about to be closed */
/* How many have been accepted within the last second and not been heard yet: they may have sent a
 * request that nobody has read. */
int acceptor_unheard(struct acceptor *acceptor);

#endif
