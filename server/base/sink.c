/* sink.c - sink.h. Flow: log, service -> [sink] -> whoever reads.   Thread: the caller's.
 * O_NONBLOCK belongs to the open file, which others may share (the shell that started this, whoever
 * writes to the same pipe), so it is not set on that. A pipe or a terminal is opened a second time
 * through /proc, which gives an open file of our own. Where that cannot be, poll(2) is asked before
 * each write: it may wait nevertheless if another process writes to the same pipe in between. A
 * socket has a flag for each message; a file waits for its disk alone. */
#include "sink.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_again(int descriptor) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
  return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

struct sink sink_open(int descriptor) {
  struct sink sink = {.descriptor = descriptor, .kind = SINK_PLAIN};
  struct stat kind;
  if (fstat(descriptor, &kind))
    return sink;
  if (S_ISSOCK(kind.st_mode)) {
    sink.kind = SINK_SOCKET;
    return sink;
  }
  if (!S_ISFIFO(kind.st_mode) && !isatty(descriptor))
    return sink;
  const int own = open_again(descriptor);
  if (own >= 0)
    sink.descriptor = own;
  else
    sink.kind = SINK_ASKED;
  return sink;
}

bool sink_has_room(const struct sink *sink) {
  struct pollfd look = {.fd = sink->descriptor, .events = POLLOUT};
  return poll(&look, 1, 0) > 0 && look.revents & POLLOUT;
}

/* Bytes that were taken; 0: none. */
static size_t put_some(const struct sink *sink, const char *text, size_t n) {
  ssize_t done = 0;
  switch (sink->kind) {
  case SINK_SOCKET:
    done = send(sink->descriptor, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    break;
  case SINK_ASKED:
    if (!sink_has_room(sink))
      return 0;
    done = write(sink->descriptor, text, n);
    break;
  case SINK_PLAIN:
    done = write(sink->descriptor, text, n);
    break;
  }
  return done > 0 ? (size_t)done : 0;
}

bool sink_write(struct sink *sink, const char *text, size_t n) {
  if (sink->torn) {
    if (!put_some(sink, "\n", 1))
      return false;
    sink->torn = false;
  }
  const size_t done = put_some(sink, text, n);
  sink->torn = done > 0 && done < n;
  return done == n;
}
