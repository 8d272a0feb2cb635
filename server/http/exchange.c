/* exchange.c - exchange.h. Flow: http -> [exchange] -> admit, routes, queue.   Thread: the
 * connection's. */
#include "exchange.h"
#include "cam_clock.h"
#include "work/app.h"
#include "work/generation.h"
#include "work/room.h"
#include <math.h>
#include <stdlib.h>

struct exchange *exchange_new(struct app *app, const struct access *access) {
  struct exchange *exchange = calloc(1, sizeof *exchange);
  if (!exchange)
    return NULL;
  struct job *job = &exchange->job;
  exchange->access = access;
  job->app = app;
  job->protocol = &protocol_cam;
  job->n_json = -1;
  job->began = clock_seconds();
  job->deadline = job->began + 1e-3 * (double)app->config->request_deadline_ms;
  params_init(&job->params);
  return exchange;
}

void exchange_count(struct exchange *exchange) {
  exchange->counted = true;
  app_job_begins(exchange->job.app);
}

void exchange_free(struct exchange *exchange) {
  if (!exchange)
    return;
  struct job *job = &exchange->job;
  struct app *app = job->app;
  const bool counted = exchange->counted;
  room_leave(job);
  generation_leave(app, &job->generation);
  job_clear(job);
  free(exchange);
  if (counted)
    app_job_ends(app);
}

/* ---- deadlines ---- */

double exchange_upload_due(const struct exchange *exchange) {
  const struct job *job = &exchange->job;
  const config *settings = job->app->config;
  if (!settings->upload_bytes_per_s)
    return job->deadline;
  const double due = exchange->body_began + 1e-3 * (double)settings->upload_grace_ms +
                     (double)exchange->bytes_in / (double)settings->upload_bytes_per_s;
  return fmin(due, job->deadline);
}

double exchange_reader_due(const struct exchange *exchange) {
  const struct job *job = &exchange->job;
  const config *settings = job->app->config;
  return clock_seconds() + 1e-3 * (double)settings->request_deadline_ms +
         (double)job->response.n / (double)settings->download_bytes_per_s;
}

/* ---- the line ---- */

static _Thread_local struct exchange *first_in_line;

struct exchange *exchange_first_in_line(void) {
  return first_in_line;
}

void exchange_enter_line(struct exchange *exchange) {
  exchange->after = first_in_line;
  if (first_in_line)
    first_in_line->before = exchange;
  first_in_line = exchange;
}

void exchange_leave_line(struct exchange *exchange) {
  if (exchange->after)
    exchange->after->before = exchange->before;
  if (exchange->before)
    exchange->before->after = exchange->after;
  else if (first_in_line == exchange)
    first_in_line = exchange->after;
  exchange->before = NULL;
  exchange->after = NULL;
}
