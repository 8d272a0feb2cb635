/* peer.c - peer.h. Flow: http -> [peer] -> watch.   Thread: the connection's. */
#include "peer.h"
#include <stdlib.h>

struct peer *peer_open(struct watch *watch, int socket, const struct sockaddr *address) {
  struct peer *peer = calloc(1, sizeof *peer);
  if (!peer)
    return NULL;
  peer->address = peer_address_of(address);
  peer->watched = watch_open(watch, socket);
  if (peer->watched)
    return peer;
  free(peer);
  return NULL;
}

void peer_close(struct watch *watch, struct peer *peer) {
  if (!peer)
    return;
  watch_close(watch, peer->watched);
  free(peer);
}
