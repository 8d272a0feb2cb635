/* watch.h - what an open connection needs beside its HTTP: a time by which its present request must
 * be done, and a gentle end. Implemented in server/http/watch.c, which has a thread of its own.
 * Names no HTTP library. Any thread.
 *
 * Deadline: the HTTP library closes connections on which nothing moves; a client that sends or
 * takes one byte a second moves. Lingering: a server that closes a socket while the client still
 * sends a refused body makes the kernel send a reset, which may overtake the answer (RFC 9112
 * section 9.6). So such a socket is read on, into nothing, for a moment. */
#ifndef WATCH_H
#define WATCH_H
#include <stdbool.h>

struct watch;
struct watched; /* one open connection */

struct watch *watch_start(void); /* NULL: no memory or no thread */
void watch_stop(
    struct watch *watch); /* after the last watch_close; closes what lingers; NULL is allowed */

/* socket stays the caller's and must be open until watch_close. NULL: no memory. */
struct watched *watch_open(struct watch *watch, int socket);
/* At `when` (seconds of CLOCK_MONOTONIC; INFINITY: never) the socket is shut down, which its owner
 * sees as the client's end. */
void watch_until(struct watch *watch, struct watched *connection, double when);
/* Has its time run out, and was it shut down for that, with its client still there? NULL: no. */
bool watch_expired(struct watch *watch, const struct watched *connection);
/* Whether the client has sent anything since watch_mark, or since the start; as far as the kernel
 * tells. NULL: no. Its own thread's, both. */
bool watch_has_moved(const struct watched *connection);
void watch_mark(struct watched *connection,
                bool last); /* last: nothing that comes from here on counts */
void watch_close(struct watch *watch,
                 struct watched *connection); /* forgets the connection; NULL is allowed */

/* Takes over a socket whose answer has been sent; it is closed when the client closes it, after 2
 * s, or at once if too many linger. */
void watch_linger(struct watch *watch, int socket);

#endif
