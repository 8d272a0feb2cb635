/* tuner.c - cam_train.h: a model, photos and options -> head, epochs -> a model file. Flow:
 * tuned_graph -> samples -> head_fit -> epochs -> tuned_file. Thread: one caller; a team shares
 * what there is to share. */
#include "cam_clock.h"
#include "cam_encoding.h"
#include "cam_temperature.h"
#include "cam_train.h"
#include "epochs.h"
#include "head_fit.h"
#include "network/blas.h"
#include "tuned_file.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const double cam_tune_head_decay = 0.01, cam_tune_weight_decay = 0.0005;
const cam_tune_options cam_default_tune = {.epochs = -1,
                                           .batch = 16,
                                           .rate = -1,
                                           .momentum = 0.9,
                                           .weight_decay = -1,
                                           .keep_prob = 1,
                                           .schedule = CAM_TUNE_COSINE,
                                           .patience = 3,
                                           .seed = 1,
                                           .resize = CAM_STRETCH,
                                           .memory = (size_t)1 << 30,
                                           .threads = 1,
                                           .limits = {.max_pixels = 64000000,
                                                      .max_side = 32768,
                                                      .decode_bytes = (size_t)800 << 20,
                                                      .max_scans = 100,
                                                      .decode_ms = 10000}};

struct cam_tuner {
  cam_tune_options options; /* every choice of the stage's made */
  cam_tune_calls calls;
  cam_tune_sample *list; /* [n] */
  int n;
  char *const *names;
  cam_graph *base;
  tuned_graph tuned;
  cam_team *team;
  int reserved; /* threads, of OpenBLAS */
  int cut;      /* of the stage */
  samples *samples;
  sample_part train, val;
  char run[65], data[65];
  double begin;
  float *own_head; /* of a head with the model's own classes: its new values */
  epochs_result trained;
  cam_tune_figures figures;
};

/* ---- words ---- */

static const struct {
  const char *name;
  int epochs;
  double rate;
} stages[] = {
#define X(id, name, epochs, rate) {name, epochs, rate},
    CAM_TUNE_STAGES(X)
#undef X
};

const char *cam_tune_stage_name(cam_tune_stage stage) {
  if ((unsigned)stage >= CAM_TUNE_STAGE_COUNT)
    return "";
  return stages[stage].name;
}

const char *cam_tune_schedule_name(cam_tune_schedule schedule) {
#define X(id, name) name,
  static const char *const schedules[] = {CAM_TUNE_SCHEDULES(X)};
#undef X
  if ((unsigned)schedule >= CAM_TUNE_SCHEDULE_COUNT)
    return "";
  return schedules[schedule];
}

/* ---- options ---- */

static void choose_defaults(cam_tune_options *options) {
  const bool is_head = options->stage == CAM_TUNE_HEAD;
  if (options->epochs < 0 || is_head)
    options->epochs = stages[options->stage].epochs;
  if (options->rate < 0 || is_head)
    options->rate = stages[options->stage].rate;
  if (options->weight_decay < 0 && is_head)
    options->weight_decay = cam_tune_head_decay;
  if (options->weight_decay < 0)
    options->weight_decay = cam_tune_weight_decay;
}

/* Of the head that is fitted before anything else moves: what --weight-decay says is the stage's.
 */
static double head_decay(const cam_tuner *tuner) {
  if (tuner->options.stage == CAM_TUNE_HEAD)
    return tuner->options.weight_decay;
  return cam_tune_head_decay;
}

static bool fits_head(const cam_tuner *tuner) {
  return tuner->tuned.is_new || tuner->options.stage == CAM_TUNE_HEAD;
}

/* ---- made and freed ---- */

static cam_code make_samples(cam_tuner *tuner, cam_error *error) {
  samples_plan plan = {.graph = &tuner->tuned.graph,
                       .options = &tuner->options,
                       .calls = &tuner->calls,
                       .list = tuner->list,
                       .n = tuner->n,
                       .features_node = -1,
                       .plane_node = -1};
  tuner->cut = GRAPH_INPUT;
  if (fits_head(tuner))
    plan.features_node = tuner->tuned.features;
  if (tuner->options.stage == CAM_TUNE_LAST)
    plan.plane_node = tuner->cut = trainer_cut(&tuner->tuned.graph);
  plan.pictures = tuner->options.stage != CAM_TUNE_HEAD && tuner->cut == GRAPH_INPUT;
  return samples_create(&plan, tuner->team, &tuner->samples, error);
}

cam_code cam_tuner_create(const cam_tune_options *options, int n_classes, char *const *names,
                          cam_tune_sample *list, int n, const cam_tune_calls *calls,
                          cam_tuner **out, cam_error *error) {
  cam_tuner *tuner = *out = calloc(1, sizeof *tuner);
  if (!tuner)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory");
  tuner->options = *options;
  tuner->calls = *calls;
  tuner->list = list;
  tuner->n = n;
  tuner->names = names;
  choose_defaults(&tuner->options);
  blas_init();
  cam_code code = blas_reserve(options->threads, error);
  if (!code)
    tuner->reserved = options->threads;
  if (!code)
    code = graph_load(options->model, &tuner->base, error);
  if (!code)
    code = tuned_graph_make(tuner->base, &tuner->options, n_classes, &tuner->tuned, error);
  if (!code)
    code = team_create(options->threads, &tuner->team, error);
  if (!code)
    code = make_samples(tuner, error);
  if (!code)
    return CAM_OK;
  cam_tuner_free(tuner);
  *out = NULL;
  return code;
}

void cam_tuner_free(cam_tuner *tuner) {
  if (!tuner)
    return;
  epochs_result_free(&tuner->trained);
  samples_free(tuner->samples);
  team_free(tuner->team);
  tuned_graph_free(&tuner->tuned);
  graph_free(tuner->base);
  blas_release(tuner->reserved);
  free(tuner->train.members);
  free(tuner->val.members);
  free(tuner->own_head);
  free(tuner);
}

/* ---- before training ---- */

cam_code cam_tuner_look(cam_tuner *tuner, bool passes, cam_error *error) {
  return samples_look(tuner->samples, passes, error);
}

/* A step goes forward and back, which is about so many forward passes. */
static const double passes_a_step = 5;

double cam_tuner_estimate(cam_tuner *tuner, int n_train, int n_val) {
  const cam_tune_options *options = &tuner->options;
  double passes, decode, seconds = 0;
  samples_time(tuner->samples, &passes, &decode);
  const double views = n_val + n_train * (1 + options->flip);
  seconds = n_val * decode + n_train * decode + views * passes;
  if (options->stage != CAM_TUNE_HEAD)
    seconds += options->epochs * (passes_a_step * n_train + n_val) * passes;
  return seconds / options->threads;
}

/* Photos by their pixels: no path has to do with the order. */
static int compare_samples(const void *a, const void *b, void *closure) {
  const cam_tune_sample *list = closure, *one = &list[*(const int *)a],
                        *other = &list[*(const int *)b];
  if (one->class_id != other->class_id)
    return one->class_id - other->class_id;
  return strcmp(one->hash, other->hash);
}

static cam_code gather_part(cam_tuner *tuner, bool is_val, sample_part *out, cam_error *error) {
  free(out->members);
  *out = (sample_part){.members = malloc(((size_t)tuner->n + 1) * sizeof *out->members)};
  if (!out->members)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d photos", tuner->n);
  for (int i = 0; i < tuner->n; i++)
    if (!tuner->list[i].error.code && tuner->list[i].is_val == is_val)
      out->members[out->n++] = i;
  qsort_r(out->members, (size_t)out->n, sizeof *out->members, compare_samples, tuner->list);
  return CAM_OK;
}

/* Every new class, or two of the model's own, must have photos. */
static cam_code check_classes(const cam_tuner *tuner, cam_error *error) {
  const int classes = tuner->tuned.graph.n_classes;
  int filled = 0, before = -1;
  for (int i = 0; i < tuner->train.n; i++) {
    const int class_id = tuner->list[tuner->train.members[i]].class_id;
    filled += class_id != before;
    if (tuner->tuned.is_new && class_id > before + 1)
      break;
    before = class_id;
  }
  if (tuner->tuned.is_new && filled && before + 1 < classes)
    return cam_fail(error, CAM_E_PARAMETER, "class \"%.60s\" has no photo to train on",
                    tuner->names[before + 1]);
  if (!tuner->train.n)
    return cam_fail(error, CAM_E_PARAMETER, "there is no photo to train on");
  return CAM_OK;
}

/* "run" and "data": what of options, model and photos decides what comes out. */
static cam_code name_run(cam_tuner *tuner, cam_error *error) {
  const cam_tune_options *o = &tuner->options;
  const sample_part *const parts[] = {&tuner->train, &tuner->val};
  char *text = NULL;
  size_t n;
  FILE *out = open_memstream(&text, &n);
  if (!out)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d photos", tuner->n);
  for (int c = 0; tuner->tuned.is_new && c < tuner->tuned.graph.n_classes; c++)
    fprintf(out, "%s\n", tuner->names[c]);
  for (int p = 0; p < 2; p++)
    for (int i = 0; i < parts[p]->n; i++) {
      const cam_tune_sample *sample = &tuner->list[parts[p]->members[i]];
      fprintf(out, "%d %d %s\n", p, sample->class_id, sample->hash);
    }
  fflush(out);
  cam_sha256_hex((const uint8_t *)text, n, tuner->data);
  fprintf(out, "%s %d %d %d %d %.17g %.17g %.17g %.17g %d %d %d %d %llu %d",
          safetensors_sha256(tuner->base->file), o->stage, o->keep_classes, o->epochs, o->batch,
          o->rate, o->momentum, o->weight_decay, o->keep_prob, o->schedule, o->flip, o->balance,
          o->patience, (unsigned long long)o->seed, o->resize);
  fclose(out);
  cam_sha256_hex((const uint8_t *)text, n, tuner->run);
  free(text);
  return CAM_OK;
}

static cam_code settle_parts(cam_tuner *tuner, cam_error *error) {
  cam_code code = gather_part(tuner, false, &tuner->train, error);
  if (!code)
    code = gather_part(tuner, true, &tuner->val, error);
  if (!code)
    code = check_classes(tuner, error);
  if (!code)
    code = name_run(tuner, error);
  return code;
}

bool cam_tuner_is_written(cam_tuner *tuner, const char *path, bool *complete) {
  char run[65];
  cam_error error;
  if (settle_parts(tuner, &error) || !tuned_file_run(path, run, complete))
    return false;
  return !strcmp(run, tuner->run);
}

/* ---- the head ---- */

/* What a head is fitted to, in memory of its own. */
typedef struct head_lists {
  sample_view *views;
  int *labels;
  double *shares;
} head_lists;

static void free_lists(head_lists *lists) {
  free(lists->views);
  free(lists->labels);
  free(lists->shares);
}

/* Each view of a photo counts alike, or each class. */
static cam_code make_lists(const cam_tuner *tuner, const sample_part *part, int views,
                           head_lists *out, head_task *task, cam_error *error) {
  const size_t n = (size_t)part->n * (size_t)views;
  const int classes = tuner->tuned.graph.n_classes;
  int *counts = calloc((size_t)classes + 1, sizeof *counts), filled = 0;
  *out = (head_lists){malloc((n + 1) * sizeof(sample_view)), malloc((n + 1) * sizeof(int)),
                      malloc((n + 1) * sizeof(double))};
  if (!counts || !out->views || !out->labels || !out->shares) {
    free(counts);
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu photos", n);
  }
  for (int i = 0; i < part->n; i++)
    filled += !counts[tuner->list[part->members[i]].class_id]++;
  for (size_t i = 0; i < n; i++) {
    const int sample = part->members[i / (size_t)views];
    out->views[i] = (sample_view){sample, i % (size_t)views};
    out->labels[i] = tuner->list[sample].class_id;
    out->shares[i] = 1 / (double)n;
    if (tuner->options.balance)
      out->shares[i] = 1 / ((double)filled * views * counts[out->labels[i]]);
  }
  free(counts);
  task->n = (int)n;
  task->views = out->views;
  task->labels = out->labels;
  task->shares = out->shares;
  return CAM_OK;
}

/* Accuracy on the validation photos of a head, and their temperature. */
static cam_code validate_head(cam_tuner *tuner, const head_task *trained, const float *weight,
                              cam_tune_epoch *epoch, cam_error *error) {
  head_task task = *trained;
  head_lists lists = {0};
  const int n = tuner->val.n, classes = task.classes;
  epoch->val_accuracy = epoch->val_loss = -1;
  if (!n)
    return CAM_OK;
  float *logits = malloc((size_t)n * (size_t)classes * sizeof *logits);
  cam_code code = make_lists(tuner, &tuner->val, 1, &lists, &task, error);
  if (!code && !logits)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d photos", n);
  if (!code)
    code = head_logits(&task, weight, logits, error);
  if (!code) {
    epoch->val_accuracy = logits_accuracy(logits, task.labels, n, classes, &epoch->val_loss);
    tuner->figures.temperature = cam_fit_temperature(
        &(cam_logits){n, classes, 1, logits, task.labels});
  }
  free_lists(&lists);
  free(logits);
  return code;
}

/* The head's values go where the network, or the file, finds them. */
static void keep_head(cam_tuner *tuner, const head_task *task, head_result *result) {
  const size_t n = (size_t)task->classes * (size_t)task->channels;
  if (tuner->tuned.is_new) {
    memcpy(tuner->tuned.values, result->weight, n * sizeof(float));
    return;
  }
  tuner->own_head = result->weight;
  result->weight = NULL;
}

static void tell_head(cam_tuner *tuner, const head_result *result, cam_tune_epoch *epoch) {
  cam_tune_figures *figures = &tuner->figures;
  epoch->stage = CAM_TUNE_HEAD;
  epoch->cross_entropy = result->cross_entropy;
  epoch->weight_decay = result->weight_decay;
  epoch->loss = result->cross_entropy + result->weight_decay;
  epoch->train_accuracy = result->accuracy;
  epoch->iterations = result->iterations;
  epoch->seconds = clock_seconds() - tuner->begin;
  epoch->best = true;
  figures->train_accuracy = result->accuracy;
  figures->val_accuracy = figures->start_accuracy = epoch->val_accuracy;
  figures->val_loss = epoch->val_loss;
  tuner->calls.epoch(tuner->calls.closure, epoch);
}

/* What a head of the tuned network is fitted to: all but the photos. */
static head_task head_task_of(cam_tuner *tuner) {
  const cam_graph *graph = &tuner->tuned.graph;
  const cam_node *last = &graph->nodes[graph->n_nodes - 1];
  head_task task = {.from = tuner->samples,
                    .classes = graph->n_classes,
                    .channels = (int)last->weight->shape[1],
                    .decay = head_decay(tuner)};
  if (tuner->tuned.is_new)
    return task;
  task.start = last->weight->data;
  if (last->bias)
    task.bias = last->bias->data;
  return task;
}

static cam_code fit_head(cam_tuner *tuner, cam_error *error) {
  head_task task = head_task_of(tuner);
  head_lists lists = {0};
  head_result result = {0};
  cam_tune_epoch epoch = {0};
  cam_code code = make_lists(tuner, &tuner->train, 1 + tuner->options.flip, &lists, &task, error);
  if (!code)
    code = head_fit(&task, &result, error);
  if (!code)
    code = validate_head(tuner, &task, result.weight, &epoch, error);
  if (code == CAM_E_DEADLINE) /* it was stopped, and a photo was to be read again */
    code = CAM_OK;
  if (!code) {
    keep_head(tuner, &task, &result);
    tell_head(tuner, &result, &epoch);
  }
  free(result.weight);
  free_lists(&lists);
  return code;
}

/* The first photos of each class, of members that are sorted by class. */
static bool take_fewer(const cam_tuner *tuner, int per_class, sample_part *out) {
  int before = -1, n = 0;
  *out = (sample_part){.members = malloc(((size_t)tuner->train.n + 1) * sizeof(int))};
  for (int i = 0; out->members && i < tuner->train.n; i++) {
    const int sample = tuner->train.members[i];
    if (tuner->list[sample].class_id != before)
      n = 0;
    before = tuner->list[sample].class_id;
    if (n++ < per_class)
      out->members[out->n++] = sample;
  }
  return out->members && out->n < tuner->train.n;
}

bool cam_tuner_try_fewer(cam_tuner *tuner, int per_class, int *right) {
  head_task task;
  head_lists lists = {0};
  head_result result = {0};
  sample_part fewer = {0};
  cam_tune_epoch epoch = {.val_accuracy = -1};
  cam_error error;
  const double kept = tuner->figures.temperature;
  if (!fits_head(tuner) || !tuner->val.n || tuner->calls.stop(tuner->calls.closure))
    return false;
  task = head_task_of(tuner);
  if (tuner->tuned.is_new)
    task.start = NULL;
  const bool done = take_fewer(tuner, per_class, &fewer) &&
                    !make_lists(tuner, &fewer, 1, &lists, &task, &error) &&
                    !head_fit(&task, &result, &error) &&
                    !validate_head(tuner, &task, result.weight, &epoch, &error);
  tuner->figures.temperature = kept;
  *right = (int)(epoch.val_accuracy * tuner->val.n + 0.5);
  free(fewer.members);
  free(result.weight);
  free_lists(&lists);
  return done;
}

/* ---- all of it ---- */

static cam_code train(cam_tuner *tuner, trainer *moving, cam_error *error) {
  cam_tune_figures *figures = &tuner->figures;
  epochs_result *result = &tuner->trained;
  epochs_task task = {.graph = &tuner->tuned.graph,
                      .trainer = moving,
                      .from = tuner->samples,
                      .kind = tuner->cut == GRAPH_INPUT ? SAMPLE_PICTURE : SAMPLE_PLANE,
                      .list = tuner->list,
                      .train = tuner->train,
                      .val = tuner->val,
                      .options = &tuner->options,
                      .calls = &tuner->calls,
                      .run = tuner->run,
                      .begin = tuner->begin};
  const cam_code code = epochs_run(&task, result, error);
  if (code)
    return code;
  figures->epochs = result->epochs;
  figures->kept_epoch = result->kept_epoch;
  figures->stopped = result->stopped;
  figures->patience_ended = result->patience_ended;
  figures->start_accuracy = result->start_accuracy;
  if (!result->kept_epoch && tuner->tuned.is_new)
    return CAM_OK; /* the head's own figures hold */
  figures->kept = CAM_TUNE_HEAD;
  if (result->kept_epoch)
    figures->kept = tuner->options.stage;
  figures->train_accuracy = result->train_accuracy;
  figures->val_accuracy = result->val_accuracy;
  figures->val_loss = result->val_loss;
  if (result->val_logits && result->val_accuracy >= 0)
    figures->temperature = cam_fit_temperature(&(cam_logits){
        tuner->val.n, tuner->tuned.graph.n_classes, 1, result->val_logits, result->val_labels});
  return CAM_OK;
}

static cam_code run_epochs(cam_tuner *tuner, cam_error *error) {
  const train_options options = {.momentum = tuner->options.momentum,
                                 .weight_decay = tuner->options.weight_decay,
                                 .keep_prob = tuner->options.keep_prob,
                                 .seed = tuner->options.seed};
  trainer *moving = NULL;
  cam_code code = trainer_create(&tuner->tuned.graph, tuner->cut, &options, tuner->team, &moving,
                                 error);
  if (!code)
    code = train(tuner, moving, error);
  trainer_free(moving);
  return code;
}

cam_code cam_tuner_fit(cam_tuner *tuner, cam_error *error) {
  tuner->begin = clock_seconds();
  cam_code code = settle_parts(tuner, error);
  tuner->figures = (cam_tune_figures){.classes = tuner->tuned.graph.n_classes,
                                      .kept = CAM_TUNE_HEAD,
                                      .train = tuner->train.n,
                                      .val = tuner->val.n,
                                      .train_accuracy = -1,
                                      .val_accuracy = -1,
                                      .val_loss = -1,
                                      .start_accuracy = -1};
  if (!code && fits_head(tuner))
    code = fit_head(tuner, error);
  if (!code && tuner->options.stage != CAM_TUNE_HEAD)
    code = run_epochs(tuner, error);
  if (!code && tuner->options.stage == CAM_TUNE_HEAD)
    tuner->figures.stopped = tuner->calls.stop(tuner->calls.closure);
  return code;
}

const cam_tune_figures *cam_tuner_get_figures(const cam_tuner *tuner) { return &tuner->figures; }

static const float *values_of_tensor(void *closure, const cam_tensor *tensor) {
  const cam_tuner *tuner = closure;
  const cam_graph *graph = &tuner->tuned.graph;
  const moved_tensors *moved = &tuner->trained.moved;
  for (int i = 0; i < moved->n; i++)
    if (moved->tensors[i] == tensor)
      return tuner->trained.values + moved->begin[i];
  if (tuner->own_head && tensor == graph->nodes[graph->n_nodes - 1].weight)
    return tuner->own_head;
  return NULL;
}

cam_code cam_tuner_write(cam_tuner *tuner, const char *path, cam_error *error) {
  const tuned_story story = {.base = tuner->base,
                             .tuned = &tuner->tuned,
                             .names = tuner->names,
                             .options = &tuner->options,
                             .figures = &tuner->figures,
                             .run = tuner->run,
                             .data = tuner->data};
  return tuned_file_write(path, &story, values_of_tensor, tuner, tuner->options.threads, error);
}

void cam_tuner_done(cam_tuner *tuner) {
  if (tuner->options.checkpoint)
    unlink(tuner->options.checkpoint);
}
