/* terms.h - what the settings say of a port. Implemented in server/http/terms.c. */
#ifndef TERMS_H
#define TERMS_H
#include "base/config.h"
#include <stdint.h>

/* HTTP_MAIN: what callers use, on config->host and port. HTTP_ADMIN: on admin_host and admin_port,
 * with a thread and connections of its own, so that it answers whatever goes on at the other; what
 * is asked there is not counted. */
typedef enum http_side { HTTP_MAIN, HTTP_ADMIN } http_side;

struct terms {
  const char *host;
  int64_t port, threads, connections, per_address;
  int64_t idle_s, keep_alive_s; /* how long nothing may move: within a request, between two */
};

struct terms terms_of(const config *settings, http_side side);

#endif
