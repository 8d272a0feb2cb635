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
  metrics_observe(job->counts, METRICS_QUEUE, job->timing.queue_ms);
  metrics_observe(job->counts, METRICS_TOTAL, job->timing.total_ms);
  for (int s = 0; s < CAM_STAGE_COUNT; s++)
    if (job->timing.stage_ms[s] > 0)
      metrics_observe(job->counts, s, job->timing.stage_ms[s]); /* 0: it was not reached */
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

/* How a job goes on once its body is read. */
typedef enum way { WAY_ANSWER /* with what is wrong */, WAY_TEAM, WAY_ALONE, WAY_LATER } way;

static void fill_tasks(const struct job *job, cam_task *tasks) {
  for (int i = 0; i < job->photos; i++)
    tasks[i] = (cam_task){.bytes = job->read.photos[i].bytes,
                          .n_bytes = job->read.photos[i].n,
                          .params = &job->params.cam};
}

/* Once, whoever it is served by in the end. */
static void read_body(struct job *job) {
  const int64_t most = job->app->config->max_photos;
  const protocol_body body = {job->content_type, job->body, job->n_body, job->n_json};
  job->body_read = true;
  if (job->protocol->read(&body, &job->params, &job->read, &job->error))
    return;
  job->served = generation_find(job->generation, job->params.model, CAM_E_PARAMETER, &job->error);
  if (job->served)
    job->counts = job->served->counts;
  if (!job->served || params_resolve(&job->params, job->served->model, &job->error))
    return;
  job->photos = job->read.n;
  if (job->read.decoded)
    room_replace_body(job, job->read.decoded, job->read.n_decoded); /* the photo is all of it */
  job->read.decoded = NULL;
  if (job->photos > most)
    cam_fail(&job->error, CAM_E_BODY, "image: %d photos; allowed are 1 to %lld", job->photos,
             (long long)most);
  else if (job->accepted.form == ACCEPT_PICTURE)
    answer_prepare_picture(job);
}

/* What its pictures take in an answer, at most: in JSON base64, whose ends are counted with the
 * text. */
static uint64_t answered_bytes(const struct job *job, const cam_cost *cost) {
  if (job->accepted.form == ACCEPT_PICTURE)
    return cost->picture_bytes;
  return cost->picture_bytes / 3 * 4;
}

/* What stands around the pictures of an answer: numbers of 16 characters, and for each label its
 * name and the rest. */
static uint64_t text_bytes(const struct job *job, const cam_cost *cost) {
  enum { NUMBER = 16, LABEL = 1024 };
  uint64_t bytes = (uint64_t)(job->photos * (CAM_MAX_TOP_K + CAM_MAX_CLASSES)) * LABEL;
  if (job->params.cam.include & CAM_INCLUDE_MAP)
    bytes += NUMBER * cost->map_values;
  if (job->params.cam.include & CAM_INCLUDE_PROBABILITIES)
    bytes += NUMBER * (uint64_t)job->photos * (uint64_t)job->served->info->classes;
  return bytes;
}

/* Who serves the job, and the memory for it, all of it, before anything is decoded. What is large
 * for one thread takes it long, and the rest of a team would only wait for it: then the job is for
 * that thread from the first byte to the last, and the others serve what is small. */
static way choose_way(struct job *job, int worker, bool alone) {
  enum { TEAM_STEP_BYTES = 16 << 20 };
  struct space *space = job->app->space;
  const cam_context *context = job->served->contexts[worker];
  way how = alone ? WAY_ALONE : WAY_TEAM;
  cam_task tasks[CAM_MAX_TASKS];
  fill_tasks(job, tasks);
  cam_cost cost = cam_cost_of(context, tasks, job->photos, alone);
  if (!alone && (cost.step_bytes > TEAM_STEP_BYTES || cost.work_bytes >= SPACE_LARGE)) {
    how = WAY_ALONE;
    cost = cam_cost_of(context, tasks, job->photos, true);
  }
  uint64_t bytes = cost.work_bytes;
  if (!bytes)
    bytes = 1; /* none of them is a photo */
  job->most_pictures = answered_bytes(job, &cost);
  job->most_text = text_bytes(job, &cost);
  if (space_allows(space, bytes, &job->error))
    return WAY_ANSWER;
  queue_set_aside(job->app->queue);
  if (!space_take(space, &job->claim, bytes, job))
    return WAY_LATER;
  queue_not_aside(job->app->queue);
  return how;
}

static void explain(struct job *job, cam_context *context) {
  cam_task tasks[CAM_MAX_TASKS];
  const int n = job->photos;
  fill_tasks(job, tasks);
  cam_explain(context, tasks, n, fmin(job->deadline, atomic_load(&job->app->stop_at)),
              job->timing.stage_ms);
  job->timing.total_ms = 1e3 * (clock_seconds() - job->queued);
  note_photo(job, tasks);
  if (!job->protocol->judge(tasks, n, &job->error)) {
    if (job->accepted.form == ACCEPT_PICTURE)
      answer_picture(job, &tasks[0]);
    else
      answer_reply(job, tasks);
  }
  for (int i = 0; i < n; i++)
    cam_result_free(&tasks[i].result);
  observe(job);
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

/* A job that was just taken from the queue, for the first time or after it was set aside, by a
 * worker's whole team or one of its threads. What it is for is known from here on. The memory of
 * its answer is taken last, so that nobody waits with that in his hands. */
static way begin_job(struct job *job, int worker, bool alone) {
  const double now = clock_seconds();
  way how = WAY_ALONE;
  job->timing.queue_ms = 1e3 * (now - job->queued);
  if (!is_worth_it(job, now))
    return WAY_ANSWER;
  if (!job->body_read)
    read_body(job);
  if (!job->error.code && !job->claim.bytes)
    how = choose_way(job, worker, alone);
  if (how == WAY_LATER)
    return WAY_LATER; /* not a look at the job from here on */
  if (job->error.code || room_take_reply(job, job->most_pictures, job->most_text))
    return WAY_ANSWER;
  return how;
}

/* The context of the job's model for one thread of a worker's team; NULL: the job has no model, and
 * is answered without. */
static cam_context *context_alone(const struct job *job, int worker, int thread) {
  if (!job->served)
    return NULL;
  return cam_context_alone(job->served->contexts[worker], thread);
}

/* The jobs that were set aside for want of the memory that is free again. */
static void hand_on(struct app *app) {
  for (struct job *next; (next = space_next(app->space));)
    queue_put_back(app->queue, next);
}

/* The end of a job's way, on this thread: it is the HTTP thread's again. context: of its model, for
 * any way but WAY_ANSWER. */
static void end_job(struct job *job, cam_context *context, way how) {
  struct app *app = job->app;
  const int threads = how == WAY_TEAM ? app->threads : 1;
  const double now = clock_seconds();
  atomic_fetch_add(&app->served, 1);
  atomic_fetch_add(&app->metrics.workers_busy, threads);
  if (how != WAY_ANSWER) {
    explain(job, context);
    pace_note(&app->pace, clock_seconds() - now, atomic_load(&app->served));
  }
  request_photos_free(&job->read);
  room_drop_body(job); /* the answer may take long to send: photo and model are not kept for that */
  room_settle_reply(job);
  space_give(app->space, &job->claim);
  hand_on(app);
  job->served = NULL;
  generation_leave(app, &job->generation);
  if (job->error.code)
    answer_problem(job);
  atomic_fetch_sub(&app->metrics.workers_busy, threads);
  atomic_fetch_sub(&app->served, 1);
  job->hand_back(job); /* not ours any more */
}

/* ---- one job after another ----
 * A request that comes alone is shared by the team's threads, which answers it soonest. While many
 * wait, each thread serves its own, which answers most; and so it does while one of them serves a
 * large one, which would keep the whole team from all others. */

typedef struct spread {
  struct queue *queue;
  struct queue_party party;
  int worker;
  struct job *first;
  way how; /* of the first */
} spread;

/* A thread of the team, on its own until there is no more to do for any of them, or the next job is
 * of another generation. Jobs of different models come as they like: the thread has a context of
 * each. */
static void serve_alone(void *closure, int index, cam_context *own) {
  (void)own;
  spread *call = closure;
  if (!index)
    end_job(call->first, context_alone(call->first, call->worker, index), call->how);
  for (struct job *job; (job = queue_take_together(call->queue, &call->party));) {
    const way how = begin_job(job, call->worker, true);
    if (how != WAY_LATER)
      end_job(job, context_alone(job, call->worker, index), how);
  }
}

static void serve_next(struct worker *worker, struct job *job, cam_context *team) {
  struct app *app = worker->app;
  const bool many = queue_surplus(app->queue) + 1 >= cam_spread_least(team);
  spread call = {app->queue, {job->generation, app->threads}, worker->number, job, WAY_ANSWER};
  call.how = begin_job(job, worker->number, many);
  switch (call.how) {
  case WAY_LATER:
    return; /* the job is not ours any more */
  case WAY_ANSWER:
    end_job(job, NULL, call.how);
    return;
  case WAY_TEAM:
    end_job(job, job->served->contexts[worker->number], call.how);
    return;
  case WAY_ALONE:
    cam_spread(team, app->threads, serve_alone, &call);
  }
}

static void *work(void *argument) {
  struct worker *worker = argument;
  struct app *app = worker->app;
  for (struct job *job; (job = queue_take(app->queue));) {
    struct generation *generation = job->generation;
    generation_stay(app, generation); /* the job may leave before its context is at rest */
    serve_next(worker, job, generation->models[0]->contexts[worker->number]);
    generation_leave(app, &generation);
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
