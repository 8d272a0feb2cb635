/* listener.c - listener.h. Made here and not by the HTTP library, so that an error has its reason
 * and port 0 its number, and so that nothing is accepted before the service is ready or cut off
 * when it ends. Flow: settings -> [listener] -> acceptor.   Thread: main; hushed by the acceptor's.
 */
#include "listener.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
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
  if (bound.sin6_family == AF_INET6)
    describe_v6(out, &bound);
  else
    describe_v4(out, (const struct sockaddr_in *)(const void *)&bound);
}

/* A bound socket; -1: errno says why not. */
static int bind_to(const struct addrinfo *address) {
  const int on = 1;
  const int made = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0)
    return -1;
  if (!setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
      !bind(made, address->ai_addr, address->ai_addrlen))
    return made;
  const int reason = errno;
  close(made);
  errno = reason;
  return -1;
}

/* "[::1]" -> "::1" */
static const char *without_brackets(const char *host, char *out, size_t room) {
  const size_t n = strlen(host);
  if (n < 2 || host[0] != '[' || host[n - 1] != ']' || n - 2 >= room)
    return host;
  memcpy(out, host + 1, n - 2);
  out[n - 2] = 0;
  return out;
}

cam_code listener_bind(const char *host, int port, struct listener *out, cam_error *error) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC,
                           .ai_socktype = SOCK_STREAM,
                           .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                  *found = NULL;
  char service[16], bare[64];
  snprintf(service, sizeof service, "%d", port);
  const int failed = getaddrinfo(without_brackets(host, bare, sizeof bare), service, &hints,
                                 &found);
  if (failed)
    return cam_fail(error, CAM_E_IO, "host %.60s: %s", host, gai_strerror(failed));
  out->socket = -1;
  for (const struct addrinfo *one = found; one && out->socket < 0; one = one->ai_next)
    out->socket = bind_to(one);
  const int reason = errno;
  freeaddrinfo(found);
  if (out->socket < 0)
    return cam_fail(error, CAM_E_IO, "cannot listen on %.60s port %d: %s", host, port,
                    strerror(reason));
  describe(out);
  return CAM_OK;
}

cam_code listener_listen(const struct listener *listener, cam_error *error) {
  if (listen(listener->socket, SOMAXCONN))
    return cam_fail(error, CAM_E_IO, "cannot listen on %s port %d: %s", listener->address,
                    listener->port, strerror(errno));
  return CAM_OK;
}

/* A filter of packets (socket(7), SO_ATTACH_FILTER) that drops each with SYN, the first of a
 * connection. Some containers do not allow it. */
bool listener_hush(const struct listener *listener) {
  enum { TCP_FLAGS_AT = 13, SYN = 2, DROP = 0, KEEP = 0x40000 };
  struct sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_AT),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SYN, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, DROP),
      BPF_STMT(BPF_RET | BPF_K, KEEP),
  };
  const struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
  return !setsockopt(listener->socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

void listener_end(const struct listener *listener) { shutdown(listener->socket, SHUT_RD); }
