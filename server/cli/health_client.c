/* health_client.c - `camserve health`: one GET /readyz over a socket, plain or TLS as the service
 * speaks, so that a container needs no curl. At the admin port if that is known, which answers also
 * when the main one has no connection left. */
#include "health_client.h"
#include "http/tls.h"
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TIMEOUT_S = 3 };

enum { HOST_MAX = 256 };

/* Where to ask: at the admin port, which speaks no TLS, or at the main one. */
struct target {
  char host[HOST_MAX]; /* without brackets */
  char port[16];
  bool tls;
};

/* "[::1]" is ::1, as in a URL; the wildcard addresses mean "this machine" to a listener and nothing
 * to a caller. */
static void set_host(struct target *target, const char *host) {
  const size_t n = strlen(host);
  if (n > 2 && host[0] == '[' && host[n - 1] == ']')
    snprintf(target->host, HOST_MAX, "%.*s", (int)n - 2, host + 1);
  else
    snprintf(target->host, HOST_MAX, "%s", host);
  if (!*target->host || !strcmp(target->host, "0.0.0.0"))
    strcpy(target->host, "127.0.0.1");
  if (!strcmp(target->host, "::"))
    strcpy(target->host, "::1");
}

static struct target target_of(const config *settings) {
  const bool admin = settings->admin_port > 0;
  struct target target = {.tls = settings->tls_cert[0] && !admin};
  set_host(&target, admin ? settings->admin_host : settings->host);
  snprintf(target.port, sizeof target.port, "%d",
           (int)(admin ? settings->admin_port : settings->port));
  return target;
}

static const char *reason(void) {
  if (errno == EINPROGRESS || errno == EAGAIN)
    return "no answer within 3 s";
  return strerror(errno);
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
    if (got < 0)
      *why = reason();
    if (got <= 0)
      break;
    used += (size_t)got;
  }
  answer[used] = 0;
}

/* A connected socket, or -1 with the reason in *why. */
static int reach(const struct addrinfo *address, const char **why) {
  /* of each step; SO_SNDTIMEO bounds connect() too: socket(7) */
  const struct timeval timeout = {TIMEOUT_S, 0};
  const int server = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server >= 0 && !setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) &&
      !setsockopt(server, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) &&
      !connect(server, address->ai_addr, address->ai_addrlen)) {
    *why = NULL; /* of an address before */
    return server;
  }
  *why = reason();
  if (server >= 0)
    close(server);
  return -1;
}

static cam_code judge(const struct target *target, const char *answer, const char *why,
                      cam_error *error) {
  int status = 0;
  if (why)
    return cam_fail(error, CAM_E_IO, "%.60s port %s: %.70s", target->host, target->port, why);
  if (!*answer && !target->tls)
    return cam_fail(error, CAM_E_IO,
                    "%.60s port %s: the connection was closed; does it speak TLS? (--tls-cert)",
                    target->host, target->port);
  if (sscanf(answer, "HTTP/1.%*d %d", &status) != 1)
    return cam_fail(error, CAM_E_IO, "%.60s port %s: no HTTP answer within %d s", target->host,
                    target->port, TIMEOUT_S);
  if (status != 200)
    return cam_fail(error, CAM_E_NOT_READY, "%.60s port %s: /readyz answers %d", target->host,
                    target->port, status);
  return CAM_OK;
}

cam_code health_check(const config *settings, cam_error *error) {
  const struct target target = target_of(settings);
  struct addrinfo hints = {.ai_family = AF_UNSPEC,
                           .ai_socktype = SOCK_STREAM,
                           .ai_flags = AI_NUMERICSERV},
                  *found = NULL;
  char text[512], answer[512] = "";
  const char *why = NULL;
  const int failed = getaddrinfo(target.host, target.port, &hints, &found);
  if (failed)
    return cam_fail(error, CAM_E_IO, "host %.60s: %s", target.host, gai_strerror(failed));
  const int n = snprintf(text, sizeof text,
                         "GET /readyz HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\n\r\n",
                         target.port);
  int server = -1;
  for (const struct addrinfo *one = found; one && server < 0; one = one->ai_next)
    server = reach(one, &why);
  freeaddrinfo(found);
  if (server >= 0) {
    if (target.tls)
      tls_ask(server, text, (size_t)n, answer, sizeof answer, &why);
    else
      ask(server, text, (size_t)n, answer, sizeof answer, &why);
    close(server);
  }
  return judge(&target, answer, why, error);
}
