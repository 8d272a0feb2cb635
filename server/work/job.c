/* job.c - a request's memory, from its first header to its last byte, and the answers that are made
 * of plain values. Flow: http -> [job] -> queue -> worker -> http.   Thread: the job's owner. */
#include "job.h"
#include "app.h"
#include "generation.h"
#include "wire/problem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job *job_new(struct app *app) {
  struct job *job = calloc(1, sizeof *job);
  if (!job)
    return NULL;
  job->app = app;
  params_init(&job->params);
  pthread_mutex_lock(&app->jobs_mutex);
  app->open_jobs++;
  pthread_mutex_unlock(&app->jobs_mutex);
  return job;
}

void job_drop_body(struct job *job) {
  atomic_fetch_sub(&job->app->body_bytes, job->n_body);
  free(job->body);
  job->body = NULL;
  job->n_body = job->capacity = 0;
}

void job_leave_generation(struct job *job) {
  generation_leave(job->app, job->generation);
  job->generation = NULL;
}

void job_free(struct job *job) {
  if (!job)
    return;
  struct app *app = job->app;
  job_drop_body(job);
  job_leave_generation(job);
  atomic_fetch_sub(&app->reply_bytes, job->reply_bytes);
  free(job->content_type);
  if (job->response.owned)
    free(job->response.body);
  free(job);
  pthread_mutex_lock(&app->jobs_mutex);
  if (!--app->open_jobs)
    pthread_cond_broadcast(&app->jobs_changed);
  pthread_mutex_unlock(&app->jobs_mutex);
}

/* A declared length is allocated at once: pages that never come are never touched. Else the buffer
 * doubles. */
static cam_code reserve(struct job *job, size_t n, size_t most, cam_error *error) {
  if (n <= job->capacity)
    return CAM_OK;
  size_t capacity = job->declared && job->declared <= most ? (size_t)job->declared
                                                           : job->capacity * 2;
  if (capacity < n)
    capacity = n < 16384 ? 16384 : n;
  if (capacity > most)
    capacity = most;
  uint8_t *body = realloc(job->body, capacity);
  if (!body)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a body of %zu bytes", capacity);
  job->body = body;
  job->capacity = capacity;
  return CAM_OK;
}

cam_code job_add_body(struct job *job, const void *bytes, size_t n, cam_error *error) {
  const config *settings = job->app->config;
  size_t most = (size_t)settings->max_body_bytes;
  cam_code code = CAM_OK;
  if (n > most - job->n_body)
    code = cam_fail(error, CAM_E_TOO_LARGE, "the body has more than %zu bytes; allowed are %zu",
                    job->n_body + n - 1, most);
  else if (atomic_load(&job->app->body_bytes) + n > (size_t)settings->bodies_bytes)
    code = cam_fail(error, CAM_E_BUSY,
                    "the bodies of all requests together have more than %lld bytes",
                    (long long)settings->bodies_bytes);
  else
    code = reserve(job, job->n_body + n, most, error);
  if (code) {
    job_drop_body(job);
    return code;
  }
  memcpy(job->body + job->n_body, bytes, n);
  job->n_body += n;
  atomic_fetch_add(&job->app->body_bytes, n);
  return CAM_OK;
}

cam_code job_count_answer(struct job *job, cam_error *error) {
  const config *settings = job->app->config;
  const size_t n = job->response.n;
  if (n > (size_t)settings->max_reply_bytes)
    return cam_fail(error, CAM_E_REPLY,
                    "the answer has %zu bytes; allowed are %lld: fewer labels, size=fit or "
                    "format=jpeg make it smaller",
                    n, (long long)settings->max_reply_bytes);
  job->reply_bytes = n;
  if (atomic_fetch_add(&job->app->reply_bytes, n) + n > (size_t)settings->replies_bytes)
    return cam_fail(error, CAM_E_BUSY,
                    "the answers of all requests together have more than %lld bytes",
                    (long long)settings->replies_bytes);
  return CAM_OK;
}

void job_answer(struct job *job, int status, const char *type, char *body, size_t n, bool owned) {
  struct response *response = &job->response;
  if (response->owned)
    free(response->body);
  *response = (struct response){
      .status = status, .type = type, .body = body, .n = n, .owned = owned};
}

void job_add_header(struct job *job, const char *name, const char *value) {
  struct response *response = &job->response;
  if (response->n_headers == RESPONSE_HEADERS)
    return;
  struct response_header *header = &response->headers[response->n_headers++];
  header->name = name;
  snprintf(header->value, sizeof header->value, "%s", value);
  for (char *c = header->value; *c; c++)
    if (*c < ' ' || *c > '~')
      *c = '?';
}

void job_answer_problem(struct job *job) {
  static char no_memory[] =
      "{\"title\":\"Service Unavailable\",\"status\":503,\"code\":\"out_of_memory\"}";
  size_t n = 0;
  char *text = problem_text(&job->error, job->id, &n);
  if (text)
    job_answer(job, problem_status(job->error.code), "application/problem+json", text, n, true);
  else
    job_answer(job, 503, "application/problem+json", no_memory, sizeof no_memory - 1, false);
  if (job->error.code != CAM_E_BUSY && job->error.code != CAM_E_NOT_READY)
    return;
  char seconds[16];
  snprintf(seconds, sizeof seconds, "%d", app_retry_after(job->app));
  job_add_header(job, "Retry-After", seconds);
}
