/* metrics.h - what the service counts, and its text for Prometheus (exposition format 0.0.4).
 * Implemented in server/base/metrics.c. Thread: any. Every counter is an atomic of its own: a
 * scrape sees each one exact, though not all at one instant. What it shows adds up at any time:
 * received = answered + refused + abandoned + open; once nothing is going on, the sum by route and
 * status is received - open. */
#ifndef METRICS_H
#define METRICS_H
#include "cam_error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* How a request ends, each in exactly one way: X(enumerator, reason). ANSWERED: what was wanted, or
 * told what is wrong with the request itself. REFUSED: for a limit or the service's own state, with
 * an answer or by closing. ABANDONED: its client was gone first. */
#define METRICS_REFUSALS(X) \
  X(REFUSED_QUEUE_FULL, "queue_full") \
  X(REFUSED_MEMORY, "memory") \
  X(REFUSED_TOO_LARGE, "too_large") \
  X(REFUSED_TOO_SLOW, "too_slow") \
  X(REFUSED_DEADLINE, "deadline") \
  X(REFUSED_REPLY, "reply_too_large") \
  X(REFUSED_NOT_READY, "not_ready") \
  X(REFUSED_UNAUTHORIZED, "unauthorized") \
  X(REFUSED_NO_MEMORY, "no_memory") \
  X(REFUSED_MALFORMED, "malformed")
#define METRICS_ABANDONS(X) \
  X(ABANDONED_RECEIVING, "receiving") \
  X(ABANDONED_QUEUED, "queued") \
  X(ABANDONED_SENDING, "sending")
typedef enum metrics_end {
  END_NONE, /* not known yet */
  END_ANSWERED,
#define X(id, reason) id,
  METRICS_REFUSALS(X) METRICS_ABANDONS(X)
#undef X
      END_COUNT
} metrics_end;

/* The stages of "timing_ms": queue, the engine's, total. */
enum { METRICS_QUEUE = CAM_STAGE_COUNT, METRICS_TOTAL, METRICS_STAGES };
enum { METRICS_BUCKETS = 16, METRICS_STATUSES = 24, METRICS_ROUTES = 64 };
enum { METRICS_MODELS = 64, METRICS_NAME_MAX = 64 };

typedef enum metrics_reload {
  RELOAD_MODEL,
  RELOAD_KEYS,
  RELOAD_CERTIFICATE,
  RELOADS
} metrics_reload;

/* What is counted for each model apart. It stays when the model goes. */
struct metrics_model {
  char name[METRICS_NAME_MAX + 1]; /* "": no model was found for the requests, if any was meant */
  atomic_ullong requests[METRICS_ROUTES][METRICS_STATUSES];
  struct {
    atomic_ullong buckets[METRICS_BUCKETS + 1], nanoseconds;
  } stages[METRICS_STAGES];
};

struct metrics {
  atomic_ullong received, ended[END_COUNT];
  struct metrics_model none;
  struct metrics_model *_Atomic models[METRICS_MODELS]; /* from the front; owned: metrics_free */
  atomic_ullong connections, connections_closed, connections_refused;
  atomic_ullong request_bytes, response_bytes;
  atomic_ullong reloads[RELOADS][2]; /* failed, done */
  atomic_int workers_busy;           /* threads */
};

/* The counters of the model of this name, made where they are not there. Without memory, or where
 * METRICS_MODELS other names have been served, those without a name, whose stages are not shown.
 * One thread at a time. */
struct metrics_model *metrics_of_model(struct metrics *metrics, const char *name);
void metrics_free(struct metrics *metrics);

/* A request began: its request line came. */
void metrics_count_received(struct metrics *metrics);
/* The one place where a request is counted as over. model: of metrics_of_model; NULL: none. route:
 * 0 to METRICS_ROUTES-1; status: of the answer, whole or cut off; 0: there was none. */
void metrics_count_end(struct metrics *metrics, struct metrics_model *model, int route, int status,
                       metrics_end end);
/* The end that is counted for an answer with this error (CAM_OK: none). takes_photos: whether its
 * route takes photos; on other routes NOT_READY counts as answered. */
metrics_end metrics_end_of(cam_code code, bool takes_photos);
/* After a SIGHUP: what was read again serves, or what was there before serves on. */
void metrics_count_reload(struct metrics *metrics, metrics_reload what, bool done);
void metrics_observe(struct metrics_model *model, int stage, double ms);

typedef struct metrics_served {
  const char *name, *sha256, *precision;
} metrics_served;
/* What a scrape shows that is not counted here. */
typedef struct metrics_facts {
  const char *const *routes; /* [n_routes] labels */
  int n_routes;
  const char *const *phases; /* [n_phases] names */
  int n_phases, phase;       /* phase: which of them it is */
  int workers, queue_jobs, queue_capacity;
  unsigned long long log_lines_lost;
  const char *version, *commit, *isa; /* isa NULL: no model yet */
  const metrics_served *models;       /* [n_models] that are served */
  int n_models;
  double started; /* seconds since 1970 */
} metrics_facts;
/* The text, for free(); NULL: no memory. */
char *metrics_text(struct metrics *metrics, const metrics_facts *facts, size_t *n);

#endif
