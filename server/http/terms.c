/* terms.c - terms.h. Flow: settings -> [terms] -> http.   Thread: main. */
#include "terms.h"

enum { ADMIN_CONNECTIONS = 64, ADMIN_KEEP_ALIVE_S = 150 /* longer than two scrapes */ };

struct terms terms_of(const config *settings, http_side side) {
  struct terms terms = {.host = settings->host,
                        .port = settings->port,
                        .threads = settings->http_threads,
                        .connections = settings->connections,
                        .per_address = settings->connections_per_ip,
                        .idle_s = settings->idle_timeout_s,
                        .keep_alive_s = settings->keep_alive_s};
  if (side == HTTP_MAIN)
    return terms;
  terms.host = settings->admin_host;
  terms.port = settings->admin_port;
  terms.threads = 1;
  terms.connections = ADMIN_CONNECTIONS;
  terms.per_address = ADMIN_CONNECTIONS;
  if (terms.keep_alive_s < ADMIN_KEEP_ALIVE_S)
    terms.keep_alive_s = ADMIN_KEEP_ALIVE_S;
  return terms;
}
