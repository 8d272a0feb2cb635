/* notify.c - notify.h. Flow: service -> [notify] -> systemd, or whoever has set NOTIFY_SOCKET.
 * Thread: main. A datagram of lines NAME=VALUE is the whole protocol, which sd_notify(3) promises
 * to keep and recommends to speak without libsystemd. */
#include "notify.h"
#include "cam_clock.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager = -1;

/* "/run/systemd/notify", or "@name" of the abstract kind, whose first byte is a NUL. 0: neither, or
 * too long. */
static socklen_t read_socket_path(const char *text, struct sockaddr_un *out) {
  const size_t n = strlen(text);
  *out = (struct sockaddr_un){.sun_family = AF_UNIX};
  if ((text[0] != '/' && text[0] != '@') || !text[1] || n >= sizeof out->sun_path)
    return 0;
  memcpy(out->sun_path, text, n);
  if (text[0] == '@')
    out->sun_path[0] = '\0';
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

cam_code notify_open(cam_error *error) {
  const char *path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un address;
  if (!path || !*path)
    return CAM_OK;
  const socklen_t n = read_socket_path(path, &address);
  if (!n)
    return cam_fail(error, CAM_E_IO, "NOTIFY_SOCKET: \"%.80s\" is no address of a socket", path);
  manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (manager >= 0 && !connect(manager, (const struct sockaddr *)&address, n))
    return CAM_OK;
  const int why = errno;
  notify_close();
  return cam_fail(error, CAM_E_IO, "NOTIFY_SOCKET: %.80s: %s", path, strerror(why));
}

void notify_close(void) {
  if (manager >= 0)
    close(manager);
  manager = -1;
}

/* A manager that does not read is not waited for: it will take the service for hung, which is then
 * right. */
static void say_lines(const char *lines) {
  if (manager < 0 ||
      send(manager, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)strlen(lines))
    return;
  notify_close();
}

void notify_ready(const char *status) {
  char lines[256];
  snprintf(lines, sizeof lines, "READY=1\nSTATUS=%s", status);
  say_lines(lines);
}

void notify_reloading(void) {
  char lines[64];
  snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%.0f", 1e6 * clock_seconds());
  say_lines(lines);
}

void notify_stopping(void) { say_lines("STOPPING=1"); }
