/* listener.h - a TCP socket to listen on, from a host and a port. Implemented in
 * server/http/listener.c. */
#ifndef LISTENER_H
#define LISTENER_H
#include "cam_error.h"
#include <stdbool.h>

struct listener {
  int socket;       /* non-blocking; the caller's to close */
  int port;         /* the one it got, where 0 was asked for */
  bool any;         /* the wildcard address */
  char address[64]; /* for a URL: "127.0.0.1", "[::1]" */
};

/* Binds to the first address of the host that can be bound to; an address may stand in brackets, as
 * in a URL. Connections are refused until listener_listen. CAM_E_IO names address, port and
 * reason. */
cam_code listener_bind(const char *host, int port, struct listener *out, cam_error *error);
/* From here on connections are made, and wait to be accepted. CAM_E_IO: the port was taken
 * meanwhile. */
cam_code listener_listen(const struct listener *listener, cam_error *error);
/* Stops new connections; those that are half made get a moment, so that the caller can accept all
 * of them before it closes the socket. (Closing alone resets what came since the last accept(2).) A
 * new SYN is dropped; its sender tries again after a second and is refused. */
bool listener_hush(const struct listener *listener); /* false: that cannot be done here */
/* Connections are refused from here on; one that came since the last accept(2) is reset. */
void listener_end(const struct listener *listener);

#endif
