/* exchange.h - one request and its answer (RFC 9110 section 3.4) as HTTP sees them: the job, which
 * the queue and a worker see, and what only this side knows. Implemented in server/http/exchange.c.
 * Thread: the connection's, but for job while it is QUEUED.
 *
 * The library (libmicrohttpd) calls for one request: once at the end of its line, once at the end
 * of its headers, once for each piece of its body, and once at its end. It takes an answer at the
 * end of the headers, after which it closes the connection, or at the end of the request. So an
 * answer that is known in between waits for the end, while the rest of the body is read into
 * nothing.
 *
 *   LINE      the line has come            headers in order             -> BODY
 *                                          a fault, and a body follows  -> ANSWERED_EARLY
 *                                          a fault, or answer, no body  -> DECIDED
 *   BODY      the headers have come        a fault                      -> DECIDED
 *                                          the end, a route answers     -> ANSWERED
 *                                          the end, a photo is read     -> QUEUED
 *   DECIDED   what will be answered is     the end                      -> ANSWERED
 *             known: job.error or response
 *   QUEUED    the queue or a worker has    the job is handed back       -> ANSWERED
 *             the job
 *   ANSWERED, ANSWERED_EARLY               the library has the answer
 *
 * Only calls of the library move it (http.c), each on the connection's thread; from any state the
 * connection may end. Invariant: while it is QUEUED the connection is suspended, so the library
 * neither calls for it nor ends it. */
#ifndef EXCHANGE_H
#define EXCHANGE_H
#include "access.h"
#include "base/metrics.h"
#include "keys.h"
#include "wire/trace.h"
#include "work/job.h"

typedef enum exchange_state {
  EXCHANGE_LINE,
  EXCHANGE_BODY,
  EXCHANGE_DECIDED,
  EXCHANGE_QUEUED,
  EXCHANGE_ANSWERED,
  EXCHANGE_ANSWERED_EARLY
} exchange_state;

struct route;

struct exchange {
  struct job job; /* the first member */
  exchange_state state;
  const struct access *access;
  bool counted;               /* among app's open jobs */
  const struct route *route;  /* NULL: nothing is at this path */
  char method[16], path[96];  /* cut where they are longer: no route is */
  char peer[48];              /* numeric address */
  char key[KEY_NAME_MAX + 1]; /* name of the key it was sent with; "": none was asked for, or it
                                 was not right */
  trace trace;                /* the caller's */
  bool tls;                   /* it came over TLS */
  const char *allow_origin;   /* what Access-Control-Allow-Origin says; NULL: it is left out */
  double body_began;          /* seconds of CLOCK_MONOTONIC: the headers were complete */
  size_t bytes_in;            /* of body, kept or not */
  bool page;                  /* its client may be a browser: no Accept, or one that names HTML */
  bool probe;             /* asked for again and again by a balancer: not counted as a request */
  bool first;             /* of its connection */
  bool last;              /* of its connection, which its answer says */
  metrics_end end;        /* known before it is over where it is closed without an answer */
  void *connection;       /* the HTTP library's */
  const char *target_end; /* of the request target, in the library's memory; NULL: it has none */
  struct exchange *before, *after; /* in the line: below */
};

/* A request whose line has come, counted in app's open jobs; the caller's. NULL: no memory. */
struct exchange *exchange_new(struct app *app, const struct access *access);
/* It is one of those that the end waits for, until exchange_free. */
void exchange_count(struct exchange *exchange);
void exchange_free(struct exchange *exchange); /* NULL is allowed */

/* Until when, in seconds of CLOCK_MONOTONIC: the next piece of the body has come (a body may come
 * at upload_bytes_per_s, but for upload_grace_ms, and within the request's deadline); the answer
 * has been read (a reader may be slow, but what it does not read is kept in memory). */
double exchange_upload_due(const struct exchange *exchange);
double exchange_reader_due(const struct exchange *exchange);

/* The exchanges of this thread whose headers have not all come: a list by after. */
void exchange_enter_line(struct exchange *exchange);
void exchange_leave_line(struct exchange *exchange); /* also where it is not in it */
struct exchange *exchange_first_in_line(void);

static inline struct exchange *exchange_of(struct job *job) { return (struct exchange *)job; }

#endif
