/* app.h - what all rooms of the running service share. One per process, opened by service.c before
 * any thread, closed after the last. Implemented in server/work/app.c. Thread: fields without an
 * atomic type never change once there are threads, but for those with a mutex. */
#ifndef APP_H
#define APP_H
#include "base/config.h"
#include "base/metrics.h"
#include "pace.h"
#include <pthread.h>
#include <stdatomic.h>

/* X(enumerator, name as the metrics have it), in order. STARTING: no model is there, and no port
 * but the admin's. LEAVING: all is served, but those who ask are told to go elsewhere (/readyz,
 * Connection: close). DRAINING: no connection is made any more, and what has begun is finished. */
#define APP_PHASES(X) \
  X(APP_STARTING, "starting") \
  X(APP_READY, "ready") \
  X(APP_LEAVING, "leaving") \
  X(APP_DRAINING, "draining")
typedef enum app_phase {
#define X(id, name) id,
  APP_PHASES(X)
#undef X
      APP_PHASE_COUNT
} app_phase;
extern const char *const app_phase_names[APP_PHASE_COUNT];
struct generation;
struct queue;
struct space;

struct app {
  const config *config;
  double started; /* seconds since 1970 */
  _Atomic app_phase phase;
  _Atomic double stop_at; /* seconds of CLOCK_MONOTONIC: when draining ends; INFINITY before it
                             begins */

  int teams, threads; /* workers, threads of each */
  struct queue *queue;
  struct space *space;
  struct metrics metrics;
  struct pace pace;
  atomic_int served;         /* requests that workers are on */
  atomic_size_t body_bytes;  /* of all bodies now in memory: room.c */
  atomic_size_t reply_bytes; /* of all answers to photos now in memory: room.c */

  pthread_mutex_t jobs_mutex;  /* guards the three below, and every generation's jobs */
  pthread_cond_t jobs_changed; /* open_jobs, or those of a generation that was replaced, became 0 */
  int open_jobs;               /* requests begun and not ended */
  struct generation *generation; /* model and contexts that a new request joins; NULL: none yet */
};

/* CAM_E_NO_MEMORY: there is none for the queue, and nothing to close. */
cam_code app_open(struct app *app, const config *settings, cam_error *error);
void app_close(struct app *app); /* the queue is empty, the generation taken away */

/* A request begins, and ends. Any thread. */
void app_job_begins(struct app *app);
void app_job_ends(struct app *app);
/* Waits until no request is open, but not beyond `until` (seconds of CLOCK_MONOTONIC). Returns how
 * many are. */
int app_wait_for_jobs(struct app *app, double until);

#endif
