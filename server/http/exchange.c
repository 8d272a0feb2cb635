/* exchange.c - exchange.h. Flow: http -> [exchange] -> admit, routes, queue.   Thread: the
 * connection's. */
#include "exchange.h"
#include "cam_clock.h"
#include "work/app.h"
#include "work/generation.h"
#include "work/room.h"
#include <stdlib.h>

struct exchange *exchange_new(struct app *app, const struct access *access) {
  struct exchange *exchange = calloc(1, sizeof *exchange);
  if (!exchange)
    return NULL;
  struct job *job = &exchange->job;
  exchange->access = access;
  job->app = app;
  job->began = clock_seconds();
  job->deadline = job->began + 1e-3 * (double)app->config->request_deadline_ms;
  params_init(&job->params);
  app_job_begins(app);
  return exchange;
}

void exchange_free(struct exchange *exchange) {
  if (!exchange)
    return;
  struct job *job = &exchange->job;
  struct app *app = job->app;
  room_leave(job);
  generation_leave(app, &job->generation);
  job_clear(job);
  free(exchange);
  app_job_ends(app);
}
