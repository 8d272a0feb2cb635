/* listener.h - a listening TCP socket, from a host and a port. Implemented in
 * server/http/listener.c. */
#ifndef LISTENER_H
#define LISTENER_H
#include "cam_error.h"
#include <stdbool.h>

struct listener {
  int socket;       /* non-blocking; the caller's to close */
  int port;         /* the one it got, where 0 was asked for */
  bool v6, any;     /* any: the wildcard address */
  char address[64]; /* for a URL: "127.0.0.1", "[::1]" */
};
/* CAM_E_IO names address, port and reason. */
cam_code listener_open(const char *host, int port, struct listener *out, cam_error *error);

#endif
