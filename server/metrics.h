/* metrics.h - what the service counts, and its text for Prometheus (exposition format 0.0.4). Implemented in server/metrics.c.
 * Thread: any. Every counter is an atomic of its own: a scrape sees each one exact, though not all at one instant. */
#ifndef METRICS_H
#define METRICS_H
#include "cam_error.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* X(enumerator, label): why a request was not served, or not to its end */
#define METRICS_REASONS(X) \
  X(REFUSED_QUEUE_FULL, "queue_full") X(REFUSED_TOO_LARGE, "too_large") X(REFUSED_TOO_SLOW, "too_slow") \
  X(REFUSED_DEADLINE, "deadline") X(REFUSED_NOT_READY, "not_ready") X(REFUSED_CLIENT_LEFT, "client_left") X(REFUSED_UNAUTHORIZED, "unauthorized")
typedef enum metrics_reason {
#define X(id, label) id,
  METRICS_REASONS(X)
#undef X
  REFUSED_COUNT
} metrics_reason;

/* The stages of "timing_ms": queue, the engine's, total. */
enum { METRICS_QUEUE = CAM_STAGE_COUNT, METRICS_TOTAL, METRICS_STAGES };
enum { METRICS_BUCKETS = 16, METRICS_STATUSES = 24, METRICS_ROUTES = 16 };

struct metrics {
  atomic_ullong requests[METRICS_ROUTES][METRICS_STATUSES];
  atomic_ullong refused[REFUSED_COUNT];
  struct { atomic_ullong buckets[METRICS_BUCKETS + 1], nanoseconds; } stages[METRICS_STAGES];
  atomic_ullong request_bytes, response_bytes;
  atomic_int workers_busy;
};

/* route: 0 to METRICS_ROUTES-1. */
void metrics_count_request(struct metrics *metrics, int route, int status);
void metrics_count_refused(struct metrics *metrics, metrics_reason reason);
void metrics_observe(struct metrics *metrics, int stage, double ms);

/* What a scrape shows that is not counted here. */
typedef struct metrics_facts {
  const char *const *routes; /* [n_routes] labels */
  int n_routes, queue_jobs;
  const char *version, *commit, *isa, *model, *sha256; /* the last three NULL: no model yet */
} metrics_facts;
/* The text, for free(); NULL: no memory. */
char *metrics_text(struct metrics *metrics, const metrics_facts *facts, size_t *n);

#endif
