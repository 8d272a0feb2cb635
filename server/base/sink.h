/* sink.h - a descriptor that somebody reads, or nobody: writing to it never waits. Implemented in
 * server/base/sink.c. Thread: one at a time. */
#ifndef SINK_H
#define SINK_H
#include <stdbool.h>
#include <stddef.h>

struct sink {
  int descriptor;
  enum { SINK_PLAIN, SINK_ASKED, SINK_SOCKET } kind;
  bool torn; /* the last text was written in part */
};

/* How to write to a descriptor, which stays the caller's. Before the filter of system calls is on:
 * it may open another one for the same pipe, which is kept until the process ends. */
struct sink sink_open(int descriptor);

/* Writes whole lines of at most 4096 bytes (PIPE_BUF of pipe(7)). False: there is no room at
 * present, or nobody to read it, and nothing but perhaps a part was written; then the next text
 * begins on a new line. */
bool sink_write(struct sink *sink, const char *text, size_t n);

/* Whether a text of at most 4096 bytes may be taken, as far as the kernel tells. */
bool sink_has_room(const struct sink *sink);

#endif
