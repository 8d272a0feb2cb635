/* epochs.c - epochs.h. What is done after so many epochs is a struct of numbers, the values of the
 * epoch that is kept, and the trainer's own state: these are the checkpoint. The order of photos
 * follows from seed and epoch alone (batches.h). */
#include "epochs.h"
#include "batches.h"
#include "cam_clock.h"
#include "cam_minmax.h"
#include "checkpoint.h"
#include "logits.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is known after an epoch. All of it is checked when it comes from a file. */
typedef struct progress_state {
  int64_t epoch, kept_epoch, since_top;
  double kept_accuracy, kept_loss, kept_train, start_accuracy;
  double top_accuracy, top_loss; /* of the best epoch after the start, kept or not */
} progress_state;

typedef struct epochs_job {
  const epochs_task *task;
  epochs_result *out;
  progress_state state;
  cam_tune_epoch *history; /* [options->epochs + 1] */
  int *labels;             /* [largest batch, or all of val] */
  float *logits;           /* [val.n][classes] of the present epoch */
  float **planes;          /* [batch] */
  const float **inputs;    /* the same */
  float *memory;           /* behind them */
  size_t plane_floats;     /* of the largest sample */
  void *trainer_state;
  cam_error *error;
} epochs_job;

/* ---- one batch ---- */

/* CAM_E_DEADLINE: the end has come, perhaps while a photo was to be read again. */
static cam_code get_batch(epochs_job *job, const batches *all, int index, train_batch *out) {
  const epochs_task *task = job->task;
  const sample_view *views = all->views + all->begin[index];
  if (train_end_has_come(task->end))
    return cam_fail(job->error, CAM_E_DEADLINE, "stopped");
  const int *shape = samples_shape(task->from, views->sample, task->kind);
  *out = (train_batch){.n = all->begin[index + 1] - all->begin[index],
                       .height = shape[0],
                       .width = shape[1],
                       .planes = job->inputs,
                       .labels = job->labels};
  for (int i = 0; i < out->n; i++)
    job->labels[i] = task->list[views[i].sample].class_id;
  return samples_get(task->from, task->kind, out->n, views, job->planes, job->error);
}

/* Of step `step` of all. */
static double rate_of(const cam_tune_options *options, int64_t step, int64_t steps) {
  if (options->schedule == CAM_TUNE_CONSTANT)
    return options->rate;
  return options->rate * (1 + cos(M_PI * (double)step / (double)steps)) / 2;
}

/* ---- one epoch ---- */

static batch_plan plan_of(const epochs_task *task, const sample_part *part) {
  return (batch_plan){.from = task->from,
                      .kind = task->kind,
                      .list = task->list,
                      .members = part->members,
                      .n_members = part->n,
                      .size = task->options->batch,
                      .classes = task->graph->n_classes,
                      .seed = task->options->seed};
}

static cam_code train_batches(epochs_job *job, const batches *all, int number,
                              cam_tune_epoch *epoch) {
  const epochs_task *task = job->task;
  cam_code code = CAM_OK;
  int right = 0, seen = 0;
  for (int b = 0; b < all->n && !code; b++) {
    train_batch batch;
    train_loss loss = {0};
    epoch->rate = rate_of(task->options, (int64_t)(number - 1) * all->n + b,
                          (int64_t)task->options->epochs * all->n);
    code = get_batch(job, all, b, &batch);
    if (!code)
      code = trainer_step(task->trainer, &batch, epoch->rate, &loss, job->error);
    epoch->cross_entropy += loss.cross_entropy / all->n;
    epoch->weight_decay += loss.weight_decay / all->n;
    right += loss.right;
    seen += batch.n;
    if (task->calls->progress)
      task->calls->progress(task->calls->closure, b + 1, all->n);
  }
  epoch->loss = epoch->cross_entropy + epoch->weight_decay;
  epoch->train_accuracy = (double)right / max_int(seen, 1);
  return code;
}

/* CAM_E_DEADLINE: it was stopped, and the weights are somewhere within the epoch. */
static cam_code train_epoch(epochs_job *job, int number, cam_tune_epoch *epoch) {
  const cam_tune_options *options = job->task->options;
  batch_plan plan = plan_of(job->task, &job->task->train);
  batches all;
  plan.shuffle = true;
  plan.flip = options->flip;
  plan.balance = options->balance;
  cam_code code = batches_make(&plan, number, &all, job->error);
  if (!code)
    code = train_batches(job, &all, number, epoch);
  batches_free(&all);
  return code;
}

/* logits and their labels, in the order of the batches, which is the same each time. */
static cam_code validate_batches(epochs_job *job, const batches *all) {
  const epochs_task *task = job->task;
  const size_t classes = (size_t)task->graph->n_classes;
  int row = 0;
  for (int b = 0; b < all->n; b++) {
    train_batch batch;
    cam_code code = get_batch(job, all, b, &batch);
    if (!code)
      code = trainer_logits(task->trainer, &batch, job->logits + (size_t)row * classes, job->error);
    if (code)
      return code;
    for (int i = 0; i < batch.n; i++)
      job->out->val_labels[row++] = batch.labels[i];
  }
  return CAM_OK;
}

/* CAM_E_DEADLINE as in train_epoch: accuracy and loss are not known. */
static cam_code validate(epochs_job *job, cam_tune_epoch *epoch) {
  const epochs_task *task = job->task;
  const batch_plan plan = plan_of(task, &task->val);
  batches all;
  epoch->val_accuracy = epoch->val_loss = -1;
  if (!task->val.n)
    return CAM_OK;
  cam_code code = batches_make(&plan, 0, &all, job->error);
  if (!code)
    code = validate_batches(job, &all);
  batches_free(&all);
  if (!code)
    epoch->val_accuracy = logits_accuracy(job->logits, job->out->val_labels, task->val.n,
                                          task->graph->n_classes, &epoch->val_loss);
  return code;
}

/* ---- the epoch that is kept ---- */

static void keep_values(epochs_job *job, const cam_tune_epoch *epoch) {
  epochs_result *out = job->out;
  for (int i = 0; i < out->moved.n; i++)
    memcpy(out->values + out->moved.begin[i],
           trainer_tensor(job->task->trainer, out->moved.tensors[i]),
           out->moved.tensors[i]->count * sizeof(float));
  if (out->val_logits)
    memcpy(out->val_logits, job->logits,
           (size_t)job->task->val.n * (size_t)job->task->graph->n_classes * sizeof(float));
  job->state.kept_epoch = epoch->epoch;
  job->state.kept_accuracy = epoch->val_accuracy;
  job->state.kept_loss = epoch->val_loss;
  job->state.kept_train = epoch->train_accuracy;
}

/* More are right, or as many with less loss. */
static bool is_above(const cam_tune_epoch *epoch, double accuracy, double loss) {
  return epoch->val_accuracy > accuracy ||
         (epoch->val_accuracy == accuracy && epoch->val_loss < loss);
}

/* Better than the one that is kept; than what there was at the start, by photos that are right.
 * Without validation the last is. */
static bool is_better(const epochs_job *job, const cam_tune_epoch *epoch) {
  const progress_state *state = &job->state;
  if (!job->task->val.n || epoch->val_accuracy > state->kept_accuracy)
    return true;
  return state->kept_epoch && is_above(epoch, state->kept_accuracy, state->kept_loss);
}

/* What the start was does not matter here: training may fall behind it at first. */
static void count_patience(progress_state *state, const cam_tune_epoch *epoch) {
  state->since_top++;
  if (!is_above(epoch, state->top_accuracy, state->top_loss))
    return;
  state->top_accuracy = epoch->val_accuracy;
  state->top_loss = epoch->val_loss;
  state->since_top = 0;
}

static void finish_epoch(epochs_job *job, cam_tune_epoch *epoch) {
  epoch->seconds = clock_seconds() - job->task->begin;
  epoch->best = is_better(job, epoch);
  job->state.epoch = epoch->epoch;
  count_patience(&job->state, epoch);
  if (epoch->best)
    keep_values(job, epoch);
  job->history[epoch->epoch] = *epoch;
}

/* ---- the checkpoint ---- */

static int checkpoint_parts(epochs_job *job, checkpoint_part out[CHECKPOINT_PARTS]) {
  const epochs_task *task = job->task;
  const moved_tensors *moved = &job->out->moved;
  const size_t rows = (size_t)task->val.n * (size_t)task->graph->n_classes;
  int n = 0;
  out[n++] = (checkpoint_part){&job->state, sizeof job->state};
  out[n++] = (checkpoint_part){job->history,
                               ((size_t)task->options->epochs + 1) * sizeof *job->history};
  out[n++] = (checkpoint_part){job->out->values, moved->begin[moved->n] * sizeof(float)};
  out[n++] = (checkpoint_part){job->trainer_state, trainer_state_bytes(task->trainer)};
  if (rows)
    out[n++] = (checkpoint_part){job->out->val_logits, rows * sizeof(float)};
  return n;
}

static cam_code save_state(epochs_job *job) {
  checkpoint_part parts[CHECKPOINT_PARTS];
  if (!job->task->options->checkpoint)
    return CAM_OK;
  const int n = checkpoint_parts(job, parts);
  trainer_save(job->task->trainer, job->trainer_state);
  return checkpoint_write(job->task->options->checkpoint, job->task->run, parts, n, job->error);
}

static bool is_epoch(const epochs_job *job, int64_t number) {
  const cam_tune_epoch *epoch = &job->history[number];
  unsigned char best;
  memcpy(&best, &epoch->best, 1);
  return best <= 1 && epoch->epoch == number && epoch->stage == job->task->options->stage &&
         isfinite(epoch->loss) && isfinite(epoch->seconds);
}

static bool is_state(const epochs_job *job) {
  const progress_state *state = &job->state;
  const moved_tensors *moved = &job->out->moved;
  if (state->epoch < 0 || state->epoch > job->task->options->epochs || state->kept_epoch < 0 ||
      state->kept_epoch > state->epoch || state->since_top < 0 || state->since_top > state->epoch ||
      !isfinite(state->top_accuracy) || !isfinite(state->top_loss) ||
      !isfinite(state->kept_accuracy) || !isfinite(state->kept_loss) ||
      !isfinite(state->kept_train) || !isfinite(state->start_accuracy))
    return false;
  for (size_t i = 0; i < moved->begin[moved->n]; i++)
    if (!isfinite(job->out->values[i]))
      return false;
  for (int64_t e = 0; e <= state->epoch; e++)
    if (!is_epoch(job, e))
      return false;
  return true;
}

/* *loaded: it goes on from there; what was told is told once more. */
static cam_code load_state(epochs_job *job, bool *loaded) {
  const epochs_task *task = job->task;
  checkpoint_part parts[CHECKPOINT_PARTS];
  *loaded = false;
  if (!task->options->resume || !task->options->checkpoint)
    return CAM_OK;
  const int n = checkpoint_parts(job, parts);
  cam_code code = checkpoint_read(task->options->checkpoint, task->run, parts, n, job->error);
  if (code == CAM_E_NOT_FOUND)
    return CAM_OK;
  if (!code && !is_state(job))
    code = cam_fail(job->error, CAM_E_MODEL, "checkpoint %.80s is damaged: remove it",
                    task->options->checkpoint);
  if (!code)
    code = trainer_load(task->trainer, job->trainer_state, trainer_state_bytes(task->trainer),
                        job->error);
  for (int64_t e = 0; e <= job->state.epoch && !code; e++) {
    job->history[e].resumed = true;
    task->calls->epoch(task->calls->closure, &job->history[e]);
  }
  *loaded = !code;
  return code;
}

/* ---- all of it ---- */

static cam_code begin_anew(epochs_job *job) {
  cam_tune_epoch start = {.stage = job->task->options->stage,
                          .epochs = job->task->options->epochs,
                          .train_accuracy = -1};
  job->state = (progress_state){0};
  memset(job->history, 0, ((size_t)job->task->options->epochs + 1) * sizeof *job->history);
  job->state.kept_accuracy = job->state.kept_loss = -1;
  job->state.top_accuracy = job->state.top_loss = -1;
  const cam_code code = validate(job, &start);
  if (code && code != CAM_E_DEADLINE)
    return code;
  keep_values(job, &start);
  job->state.start_accuracy = start.val_accuracy;
  start.best = true;
  start.seconds = clock_seconds() - job->task->begin;
  job->history[0] = start;
  job->task->calls->epoch(job->task->calls->closure, &start);
  return CAM_OK;
}

static cam_code go_on(epochs_job *job) {
  const cam_tune_options *options = job->task->options;
  cam_code code = CAM_OK;
  while (!code && job->state.epoch < options->epochs) {
    cam_tune_epoch epoch = {
        .stage = options->stage, .epoch = (int)job->state.epoch + 1, .epochs = options->epochs};
    job->out->patience_ended = job->task->val.n && options->patience &&
                               job->state.since_top >= options->patience;
    if (job->out->patience_ended)
      break;
    code = train_epoch(job, epoch.epoch, &epoch);
    if (!code)
      code = validate(job, &epoch);
    if (code)
      break;
    finish_epoch(job, &epoch);
    code = save_state(job);
    if (!code) /* what was told is not done again */
      job->task->calls->epoch(job->task->calls->closure, &epoch);
  }
  job->out->stopped = code == CAM_E_DEADLINE;
  if (job->out->stopped)
    return CAM_OK;
  return code;
}

/* ---- memory ---- */

static cam_code find_moved(epochs_job *job) {
  const cam_graph *graph = job->task->graph;
  moved_tensors *moved = &job->out->moved;
  moved->tensors = calloc(4 * (size_t)graph->n_nodes, sizeof(cam_tensor *));
  moved->begin = calloc(4 * (size_t)graph->n_nodes + 1, sizeof *moved->begin);
  if (!moved->tensors || !moved->begin)
    return cam_fail(job->error, CAM_E_NO_MEMORY, "no memory for %d nodes", graph->n_nodes);
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    const cam_tensor *const tensors[] = {node->weight, node->bias, node->scale, node->shift};
    for (int k = 0; k < 4; k++) {
      bool wanted = tensors[k] &&
                    trainer_tensor(job->task->trainer, tensors[k]) != tensors[k]->data;
      for (int j = 0; j < moved->n; j++)
        wanted = wanted && moved->tensors[j] != tensors[k];
      if (!wanted)
        continue;
      moved->tensors[moved->n] = tensors[k];
      moved->begin[moved->n + 1] = moved->begin[moved->n] + tensors[k]->count;
      moved->n++;
    }
  }
  return CAM_OK;
}

static void measure_planes(epochs_job *job) {
  const epochs_task *task = job->task;
  const sample_part *const parts[] = {&task->train, &task->val};
  for (int p = 0; p < 2; p++)
    for (int i = 0; i < parts[p]->n; i++) {
      const int *shape = samples_shape(task->from, parts[p]->members[i], task->kind);
      const size_t floats = (size_t)shape[0] * (size_t)shape[1] *
                            (size_t)samples_channels(task->from, task->kind);
      job->plane_floats = max_size(job->plane_floats, floats);
    }
}

static cam_code allocate_job(epochs_job *job) {
  const epochs_task *task = job->task;
  const size_t batch = (size_t)task->options->batch;
  const size_t rows = (size_t)task->val.n * (size_t)task->graph->n_classes;
  measure_planes(job);
  cam_code code = find_moved(job);
  if (code)
    return code;
  job->history = calloc((size_t)task->options->epochs + 1, sizeof *job->history);
  job->labels = calloc(batch, sizeof *job->labels);
  job->out->val_labels = calloc((size_t)task->val.n + 1, sizeof(int));
  job->logits = malloc(rows * sizeof *job->logits + 1);
  job->planes = calloc(batch, sizeof *job->planes);
  job->inputs = calloc(batch, sizeof *job->inputs);
  job->memory = malloc(batch * job->plane_floats * sizeof *job->memory);
  job->trainer_state = calloc(1, trainer_state_bytes(task->trainer));
  job->out->values = malloc(job->out->moved.begin[job->out->moved.n] * sizeof(float) + 1);
  if (rows)
    job->out->val_logits = malloc(rows * sizeof *job->out->val_logits);
  if (!job->history || !job->labels || !job->out->val_labels || !job->logits || !job->planes ||
      !job->inputs || !job->memory || !job->trainer_state || !job->out->values ||
      (rows && !job->out->val_logits))
    return cam_fail(job->error, CAM_E_NO_MEMORY, "no memory for batches of %zu", batch);
  for (size_t i = 0; i < batch; i++)
    job->inputs[i] = job->planes[i] = job->memory + i * job->plane_floats;
  return CAM_OK;
}

static void free_job(epochs_job *job) {
  free(job->history);
  free(job->labels);
  free(job->logits);
  free(job->planes);
  free(job->inputs);
  free(job->memory);
  free(job->trainer_state);
}

cam_code epochs_run(const epochs_task *task, epochs_result *out, cam_error *error) {
  epochs_job job = {.task = task, .out = out, .error = error};
  bool loaded = false;
  *out = (epochs_result){0};
  cam_code code = allocate_job(&job);
  if (!code)
    code = load_state(&job, &loaded);
  if (!code && !loaded)
    code = begin_anew(&job);
  if (!code)
    code = go_on(&job);
  out->kept_epoch = (int)job.state.kept_epoch;
  out->epochs = (int)job.state.epoch;
  out->train_accuracy = job.state.kept_train;
  out->val_accuracy = job.state.kept_accuracy;
  out->val_loss = job.state.kept_loss;
  out->start_accuracy = job.state.start_accuracy;
  free_job(&job);
  return code;
}

void epochs_result_free(epochs_result *result) {
  free(result->moved.tensors);
  free(result->moved.begin);
  free(result->values);
  free(result->val_logits);
  free(result->val_labels);
  *result = (epochs_result){0};
}
