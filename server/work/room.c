/* room.c - room.h. Flow: http and worker -> [room] -> queue.   Thread: the job's owner; what all
 * share is atomic. */
#include "room.h"
#include "app.h"
#include "cam_minmax.h"
#include "queue.h"
#include <stdlib.h>
#include <string.h>

/* ---- waiting ---- */

static cam_code refuse_to_wait(int waiting, int most, cam_error *error) {
  return cam_fail(error, CAM_E_BUSY, "%d requests wait already; allowed are %d", waiting, most);
}

cam_code room_to_wait(const struct job *job, cam_error *error) {
  const int waiting = queue_length(job->app->queue), most = queue_capacity(job->app->queue);
  if (waiting >= most)
    return refuse_to_wait(waiting, most, error);
  return CAM_OK;
}

cam_code room_enqueue(struct job *job) {
  struct queue *queue = job->app->queue;
  const cam_code code = queue_put(queue, job);
  if (code == CAM_E_BUSY) /* it filled since room_to_wait */
    return refuse_to_wait(queue_capacity(queue), queue_capacity(queue), &job->error);
  if (code)
    return cam_fail(&job->error, code, "the service is draining");
  return CAM_OK; /* not a look at the job from here on */
}

/* ---- bodies ---- */

/* A body larger than bodies_bytes never fits, however long its caller waits. */
static int64_t most_of_one_body(const config *settings) {
  return min_int64(settings->max_body_bytes, settings->bodies_bytes);
}

cam_code room_for_length(const struct job *job, uint64_t bytes, cam_error *error) {
  const uint64_t most = (uint64_t)most_of_one_body(job->app->config);
  if (bytes > most)
    return cam_fail(error, CAM_E_TOO_LARGE, "the body has %llu bytes; allowed are %llu",
                    (unsigned long long)bytes, (unsigned long long)most);
  return CAM_OK;
}

static cam_code room_for_bytes(const struct job *job, size_t n, cam_error *error) {
  const config *settings = job->app->config;
  const size_t most = (size_t)most_of_one_body(settings);
  if (n > most - job->n_body)
    return cam_fail(error, CAM_E_TOO_LARGE, "the body has more than %zu bytes; allowed are %zu",
                    job->n_body + n - 1, most);
  if (atomic_load(&job->app->body_bytes) + n > (size_t)settings->bodies_bytes)
    return cam_fail(error, CAM_E_ROOM,
                    "the bodies of all requests together have more than %lld bytes",
                    (long long)settings->bodies_bytes);
  return CAM_OK;
}

/* A declared length is allocated at once: pages that never come are never touched. Else the buffer
 * doubles. */
static size_t capacity_for(const struct job *job, size_t n) {
  enum { LEAST = 16384 };
  const size_t most = (size_t)most_of_one_body(job->app->config);
  size_t capacity = 2 * job->capacity;
  if (job->declared && job->declared <= most)
    capacity = (size_t)job->declared;
  if (capacity < n)
    capacity = n < LEAST ? LEAST : n;
  return capacity < most ? capacity : most;
}

static cam_code grow(struct job *job, size_t n, cam_error *error) {
  if (n <= job->capacity)
    return CAM_OK;
  const size_t capacity = capacity_for(job, n);
  uint8_t *body = realloc(job->body, capacity);
  if (!body)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a body of %zu bytes", capacity);
  job->body = body;
  job->capacity = capacity;
  return CAM_OK;
}

cam_code room_add_body(struct job *job, const void *bytes, size_t n, cam_error *error) {
  cam_code code = room_for_bytes(job, n, error);
  if (!code)
    code = grow(job, job->n_body + n, error);
  if (code) {
    room_drop_body(job);
    return code;
  }
  memcpy(job->body + job->n_body, bytes, n);
  job->n_body += n;
  atomic_fetch_add(&job->app->body_bytes, n);
  return CAM_OK;
}

void room_drop_body(struct job *job) {
  atomic_fetch_sub(&job->app->body_bytes, job->n_body);
  free(job->body);
  job->body = NULL;
  job->n_body = job->capacity = 0;
}

void room_replace_body(struct job *job, uint8_t *bytes, size_t n) {
  room_drop_body(job);
  job->body = bytes;
  job->n_body = job->capacity = n;
  atomic_fetch_add(&job->app->body_bytes, n);
}

/* ---- answers ---- */

static cam_code refuse_reply(struct job *job, uint64_t bytes, int64_t allowed) {
  return cam_fail(&job->error, CAM_E_REPLY,
                  "the answer may have %llu bytes; allowed are %lld: fewer labels, size=fit or "
                  "format=jpeg make it less",
                  (unsigned long long)bytes, (long long)allowed);
}

cam_code room_take_reply(struct job *job, uint64_t pictures, uint64_t text) {
  const config *settings = job->app->config;
  if (pictures > (uint64_t)settings->max_reply_bytes)
    return refuse_reply(job, pictures, settings->max_reply_bytes);
  const uint64_t bytes = pictures + text, all = (uint64_t)settings->replies_bytes;
  if (bytes > all)
    return refuse_reply(job, bytes, settings->replies_bytes);
  size_t taken = atomic_load(&job->app->reply_bytes);
  do
    if (taken + bytes > all)
      return cam_fail(&job->error, CAM_E_ROOM,
                      "the answers of all requests together have no room for %llu bytes more; "
                      "allowed are %lld",
                      (unsigned long long)bytes, (long long)settings->replies_bytes);
  while (!atomic_compare_exchange_weak(&job->app->reply_bytes, &taken, taken + bytes));
  job->reply_bytes = bytes;
  return CAM_OK;
}

void room_settle_reply(struct job *job) {
  const config *settings = job->app->config;
  size_t n = job->response.n;
  if (n > (size_t)settings->max_reply_bytes)
    refuse_reply(job, n, settings->max_reply_bytes);
  if (job->error.code)
    n = 0; /* the problem that is answered instead is small */
  atomic_fetch_add(&job->app->reply_bytes, n);
  atomic_fetch_sub(&job->app->reply_bytes, job->reply_bytes);
  job->reply_bytes = n;
}

void room_leave(struct job *job) {
  room_drop_body(job);
  atomic_fetch_sub(&job->app->reply_bytes, job->reply_bytes);
  job->reply_bytes = 0;
}
