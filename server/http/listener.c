/* listener.c - made here and not by the HTTP library, so that an error has its reason and port 0
 * its number. Flow: settings -> [listener] -> http.   Thread: main. */
#include "listener.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void describe_v4(struct listener *out, const struct sockaddr_in *bound) {
  char numeric[INET_ADDRSTRLEN] = "";
  out->port = ntohs(bound->sin_port);
  out->any = bound->sin_addr.s_addr == htonl(INADDR_ANY);
  inet_ntop(AF_INET, &bound->sin_addr, numeric, sizeof numeric);
  snprintf(out->address, sizeof out->address, "%s", numeric);
}

static void describe_v6(struct listener *out, const struct sockaddr_in6 *bound) {
  char numeric[INET6_ADDRSTRLEN] = "";
  out->port = ntohs(bound->sin6_port);
  out->any = IN6_IS_ADDR_UNSPECIFIED(&bound->sin6_addr);
  inet_ntop(AF_INET6, &bound->sin6_addr, numeric, sizeof numeric);
  snprintf(out->address, sizeof out->address, "[%s]", numeric);
}

static void describe(struct listener *out) {
  struct sockaddr_in6 bound = {0}; /* the larger of the two */
  socklen_t n = sizeof bound;
  getsockname(out->socket, (struct sockaddr *)&bound, &n);
  out->v6 = bound.sin6_family == AF_INET6;
  if (out->v6)
    describe_v6(out, &bound);
  else
    describe_v4(out, (const struct sockaddr_in *)(const void *)&bound);
}

cam_code listener_open(const char *host, int port, struct listener *out, cam_error *error) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC,
                           .ai_socktype = SOCK_STREAM,
                           .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                  *found = NULL;
  char service[16];
  snprintf(service, sizeof service, "%d", port);
  int failed = getaddrinfo(host, service, &hints, &found), on = 1, reason = 0;
  if (failed)
    return cam_fail(error, CAM_E_IO, "host %.60s: %s", host, gai_strerror(failed));
  int made = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0 || setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
      bind(made, found->ai_addr, found->ai_addrlen) || listen(made, SOMAXCONN))
    reason = errno;
  freeaddrinfo(found);
  if (reason) {
    if (made >= 0)
      close(made);
    return cam_fail(error, CAM_E_IO, "cannot listen on %.60s port %d: %s", host, port,
                    strerror(reason));
  }
  out->socket = made;
  describe(out);
  return CAM_OK;
}
