/* app.h - what all rooms of the running service share. One per process, made by service.c before any thread, freed after the last.
 * Thread: fields without an atomic type never change once phase is READY, and are read only then. */
#ifndef APP_H
#define APP_H
#include "cam_engine.h"
#include "config.h"
#include "cors.h"
#include "keys.h"
#include "metrics.h"
#include "queue.h"
#include "tls.h"
#include <pthread.h>
#include <stdatomic.h>

typedef enum app_phase { APP_STARTING, APP_READY, APP_DRAINING } app_phase;
typedef struct app_text { char *text; size_t n; } app_text;

struct app {
  const config *config;
  double started;              /* seconds since 1970 */
  _Atomic app_phase phase;
  _Atomic double stop_at;      /* seconds of CLOCK_MONOTONIC: when draining ends; INFINITY before it begins */

  const cam_model *model;      /* from READY on */
  int teams, threads;          /* workers, threads of each */
  app_text labels, models, version; /* JSON bodies, built once */

  struct keys *keys;           /* NULL: no key is asked for */
  struct tls *tls;             /* NULL: plain HTTP */
  struct cors *cors;           /* NULL: no page of another site may call */
  struct queue *queue;
  struct metrics metrics;
  _Atomic double service_s;    /* a worker's seconds per request, smoothed; 0: none yet */
  atomic_size_t body_bytes;    /* of all bodies now in memory */

  pthread_mutex_t jobs_mutex;  /* guards open_jobs */
  pthread_cond_t jobs_none;
  int open_jobs;               /* requests begun and not ended */
};

/* Seconds after which a refused caller finds room again: the queue's length at the measured pace, 1 to 60. */
int app_retry_after(struct app *app);
/* Remembers how long a worker took for one request. Workers. */
void app_note_service(struct app *app, double seconds);

#endif
