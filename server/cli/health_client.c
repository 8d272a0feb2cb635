/* health_client.c - `camserve health`: one GET /readyz over a socket, plain or TLS as the service
 * speaks, so that a container needs no curl. At the admin port if that is known, which answers also
 * when the main one has no connection left. */
#include "http/tls.h"
#include "run/service.h"
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TIMEOUT_S = 3 };

/* The wildcard addresses mean "this machine" to a listener and nothing to a caller. */
static const char *address_to_ask(const char *host) {
  return !strcmp(host, "0.0.0.0") || !*host ? "127.0.0.1" : !strcmp(host, "::") ? "::1" : host;
}

static const char *reason(void) {
  return errno == EINPROGRESS || errno == EAGAIN ? "no answer within 3 s" : strerror(errno);
}

/* Sends text[0..n) and reads the status line, which is at the front; a slow server may send it in
 * pieces. */
static void ask(int server, const char *text, size_t n, char *answer, size_t room,
                const char **why) {
  size_t used = 0;
  if (send(server, text, n, MSG_NOSIGNAL) != (ssize_t)n)
    *why = reason();
  while (!*why && used < room - 1 && !memchr(answer, '\n', used)) {
    ssize_t got = recv(server, answer + used, room - 1 - used, 0);
    if (got <= 0)
      break;
    used += (size_t)got;
  }
  answer[used] = 0;
}

int health_check(const config *settings, cam_error *error) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC,
                           .ai_socktype = SOCK_STREAM,
                           .ai_flags = AI_NUMERICSERV},
                  *found = NULL;
  const bool admin = settings->admin_port > 0;
  const char *host = address_to_ask(admin ? settings->admin_host : settings->host);
  char port[16], text[512], answer[512];
  const char *why = NULL;
  snprintf(port, sizeof port, "%d", (int)(admin ? settings->admin_port : settings->port));
  int failed = getaddrinfo(host, port, &hints, &found), status = 0, result = 1;
  if (failed) {
    cam_fail(error, CAM_E_IO, "host %.60s: %s", host, gai_strerror(failed));
    return 1;
  }
  int n = snprintf(text, sizeof text,
                   "GET /readyz HTTP/1.1\r\nHost: %.200s:%s\r\nConnection: close\r\n\r\n", host,
                   port);
  const struct timeval timeout = {
      TIMEOUT_S, 0}; /* of each step; SO_SNDTIMEO bounds connect() too: socket(7) */
  int server = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server < 0 || setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) ||
      setsockopt(server, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) ||
      connect(server, found->ai_addr, found->ai_addrlen))
    why = reason();
  else
    (settings->tls_cert[0] && !admin ? tls_ask : ask)(server, text, (size_t)n, answer,
                                                      sizeof answer, &why);
  if (why)
    cam_fail(error, CAM_E_IO, "%.60s port %s: %.70s", host, port, why);
  else if (sscanf(answer, "HTTP/1.%*d %d", &status) != 1)
    cam_fail(error, CAM_E_IO, "%.60s port %s: no HTTP answer within %d s", host, port, TIMEOUT_S);
  else if (status != 200)
    cam_fail(error, CAM_E_NOT_READY, "%.60s port %s: /readyz answers %d", host, port, status);
  else
    result = 0;
  if (server >= 0)
    close(server);
  freeaddrinfo(found);
  return result;
}
