/* worker.c - a job's way through the engine. Flow: queue -> [worker] -> http.
 * The worker owns the job from queue_take to hand_back, and makes the whole answer: what is left
 * for the HTTP thread is to send it. */
#include "worker.h"
#include "answer.h"
#include "cam_clock.h"
#include "generation.h"
#include "job.h"
#include "queue.h"
#include "room.h"
#include "wire/request.h"
#include <math.h>
#include <poll.h>
#include <stdlib.h>

struct worker {
  struct app *app;
  int number;
  pthread_t thread;
};
struct workers {
  int started;
  struct worker list[];
};

/* ---- one job ---- */

/* A client that has closed its connection shows as the other side's end, whatever it sent before:
 * over TLS that is its close_notify, which the library has not read. (One that only shut down its
 * sending side looks the same; it is rare. One that sent close_notify and waits is answered in
 * vain.) */
static bool client_hung_up(int socket) {
  struct pollfd look = {.fd = socket, .events = POLLRDHUP};
  return poll(&look, 1, 0) > 0;
}

static void observe(struct job *job) {
  struct metrics *metrics = &job->app->metrics;
  metrics_observe(metrics, METRICS_QUEUE, job->timing.queue_ms);
  metrics_observe(metrics, METRICS_TOTAL, job->timing.total_ms);
  for (int s = 0; s < CAM_STAGE_COUNT; s++)
    if (job->timing.stage_ms[s] > 0)
      metrics_observe(metrics, s, job->timing.stage_ms[s]); /* 0: it was not reached */
}

/* Before anything is decoded: is there room for the pictures that are asked for? The photos' sizes
 * are read only where it depends on them. */
static cam_code check_reply(struct job *job, cam_context *context, const cam_task *tasks) {
  uint64_t bytes = cam_picture_bytes(context, tasks, job->photos, false);
  if (bytes > (uint64_t)job->app->config->max_reply_bytes)
    bytes = cam_picture_bytes(context, tasks, job->photos, true);
  return room_for_reply(job, bytes, &job->error);
}

/* For the log: the first photo that was decoded. */
static void note_photo(struct job *job, const cam_task *tasks) {
  for (int i = 0; i < job->photos; i++) {
    if (tasks[i].error.code)
      continue;
    job->format = tasks[i].result.format;
    job->width = tasks[i].result.width;
    job->height = tasks[i].result.height;
    return;
  }
}

static void explain(struct job *job, cam_context *context, const request_photos *photos) {
  cam_task tasks[CAM_MAX_TASKS] = {0};
  const int n = photos->n;
  const bool as_picture = job->accepted.form == ACCEPT_PICTURE;
  if (as_picture && answer_prepare_picture(job))
    return;
  job->params.cam.base64 = !as_picture;
  for (int i = 0; i < n; i++)
    tasks[i] = (cam_task){.bytes = photos->photos[i].bytes,
                          .n_bytes = photos->photos[i].n,
                          .params = &job->params.cam};
  if (check_reply(job, context, tasks))
    return;
  cam_explain(context, tasks, n, fmin(job->deadline, atomic_load(&job->app->stop_at)),
              job->timing.stage_ms);
  job->timing.total_ms = 1e3 * (clock_seconds() - job->queued);
  note_photo(job, tasks);
  if (n == 1 && tasks[0].error.code)
    job->error = tasks[0].error;
  else if (as_picture)
    answer_picture(job, &tasks[0]);
  else
    answer_json(job, tasks);
  if (!job->error.code)
    room_count_reply(job, &job->error);
  for (int i = 0; i < n; i++)
    cam_result_free(&tasks[i].result);
  observe(job);
}

static void read_and_explain(struct job *job, cam_context *context) {
  const int64_t most = job->app->config->max_photos;
  request_photos photos;
  if (!request_read(job->content_type, job->body, job->n_body, job->generation->model, &job->params,
                    &photos, &job->error)) {
    job->photos = photos.n;
    if (photos.n > most)
      cam_fail(&job->error, CAM_E_BODY, "image: %d parts; allowed are 1 to %lld", photos.n,
               (long long)most);
    else
      explain(job, context, &photos);
  }
  request_photos_free(&photos);
}

/* Is there still anyone to answer, and time to do it? */
static bool is_worth_it(struct job *job, double now) {
  const struct app *app = job->app;
  job->hung_up = client_hung_up(job->socket);
  if (job->hung_up)
    return false;
  if (now > atomic_load(&app->stop_at)) {
    cam_fail(&job->error, CAM_E_NOT_READY, "the service stopped before this request's turn came");
    return false;
  }
  if (now > job->deadline) {
    cam_fail(&job->error, CAM_E_DEADLINE,
             "%.0f ms since the first header, %.0f of them in the queue; allowed are %lld",
             1e3 * (now - job->began), job->timing.queue_ms,
             (long long)app->config->request_deadline_ms);
    return false;
  }
  return true;
}

static void serve_job(struct job *job, cam_context *context) {
  struct app *app = job->app;
  const double now = clock_seconds();
  job->timing.queue_ms = 1e3 * (now - job->queued);
  if (is_worth_it(job, now)) {
    read_and_explain(job, context);
    pace_note(&app->pace, clock_seconds() - now, atomic_load(&app->metrics.workers_busy));
  }
  room_drop_body(job); /* the answer may take long to send: photo and model are not kept for that */
  generation_leave(app, &job->generation);
  if (job->error.code)
    answer_problem(job);
}

static void serve_and_return(struct job *job, cam_context *context) {
  atomic_int *busy = &job->app->metrics.workers_busy;
  atomic_fetch_add(busy, 1);
  serve_job(job, context);
  atomic_fetch_sub(busy, 1);
  job->hand_back(job); /* not ours any more */
}

/* ---- one job after another ---- */

/* A thread of the team, on its own until there is no more to do for any of them, or the next job is
 * of another generation than the context. */
typedef struct spread {
  struct queue *queue;
  struct queue_party party;
  struct job *first;
} spread;
static struct job *next_job(spread *call) { return queue_take_together(call->queue, &call->party); }
static void serve_alone(void *closure, int index, cam_context *own) {
  spread *call = closure;
  for (struct job *job = index ? next_job(call) : call->first; job; job = next_job(call))
    serve_and_return(job, own);
}

/* A request that comes alone is shared by the team's threads, which answers it soonest; while many
 * wait, each thread serves its own, which answers most. */
static void *work(void *argument) {
  struct worker *worker = argument;
  struct queue *queue = worker->app->queue;
  for (struct job *job; (job = queue_take(queue));) {
    struct generation *generation = job->generation;
    cam_context *context = generation->contexts[worker->number];
    generation_stay(worker->app, generation); /* the job may leave before its context is at rest */
    if (queue_surplus(queue) + 1 >= cam_spread_least(context))
      cam_spread(context, worker->app->threads, serve_alone,
                 &(spread){queue, {generation, worker->app->threads}, job});
    else
      serve_and_return(job, context);
    generation_leave(worker->app, &generation);
  }
  return NULL;
}

cam_code workers_start(struct app *app, struct workers **out, cam_error *error) {
  *out = NULL;
  struct workers *workers = calloc(1, sizeof *workers + (size_t)app->teams * sizeof *workers->list);
  if (!workers)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d workers", app->teams);
  for (int i = 0; i < app->teams; i++) {
    workers->list[i] = (struct worker){.app = app, .number = i};
    if (pthread_create(&workers->list[i].thread, NULL, work, &workers->list[i])) {
      queue_close(app->queue);
      workers_stop(workers);
      return cam_fail(error, CAM_E_NO_MEMORY, "worker %d of %d cannot be started", i + 1,
                      app->teams);
    }
    workers->started++;
  }
  *out = workers;
  return CAM_OK;
}

void workers_stop(struct workers *workers) {
  if (!workers)
    return;
  for (int i = 0; i < workers->started; i++)
    pthread_join(workers->list[i].thread, NULL);
  free(workers);
}
