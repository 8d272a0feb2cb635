/* app.h - what all rooms of the running service share. One per process, made by service.c before
 * any thread, freed after the last. Thread: fields without an atomic type never change once there
 * are threads, but for those with a mutex. */
#ifndef APP_H
#define APP_H
#include "base/config.h"
#include "base/metrics.h"
#include "http/cors.h"
#include "http/keys.h"
#include "http/tls.h"
#include "queue.h"
#include <pthread.h>
#include <stdatomic.h>

typedef enum app_phase { APP_STARTING, APP_READY, APP_DRAINING } app_phase;
struct generation;

struct app {
  const config *config;
  double started; /* seconds since 1970 */
  _Atomic app_phase phase;
  _Atomic double
      stop_at; /* seconds of CLOCK_MONOTONIC: when draining ends; INFINITY before it begins */

  int teams, threads; /* workers, threads of each */
  struct keys *keys;  /* NULL: no key is asked for */
  struct tls *tls;    /* NULL: plain HTTP */
  struct cors *cors;  /* NULL: no page of another site may call */
  struct queue *queue;
  struct metrics metrics;
  _Atomic double pace_s;    /* seconds from the end of one request to the next's while all are busy,
                               smoothed; 0: none yet */
  atomic_size_t body_bytes; /* of all bodies now in memory */
  atomic_size_t reply_bytes; /* of all answers to photos now in memory */

  pthread_mutex_t jobs_mutex;  /* guards the three below, and every generation's jobs */
  pthread_cond_t jobs_changed; /* open_jobs, or those of a generation that was replaced, became 0 */
  int open_jobs;               /* requests begun and not ended */
  struct generation *generation; /* model and contexts that a new request joins; NULL: none yet */
};

/* Seconds after which a refused caller finds room again: the queue's length at the measured pace, 1
 * to 60. */
int app_retry_after(struct app *app);
/* Remembers how long a worker took for one request. Workers. */
void app_note_service(struct app *app, double seconds);

#endif
