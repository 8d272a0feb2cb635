/* tuner.c - cam_train.h: a model, photos and options -> head, epochs -> a model file. Flow:
 * tuned_graph -> samples -> head_fit -> epochs -> tuned_file. Thread: one caller; a team shares
 * what there is to share. */
#include "cam_clock.h"
#include "cam_encoding.h"
#include "cam_minmax.h"
#include "cam_temperature.h"
#include "cam_train.h"
#include "convert/dequantize.h"
#include "epochs.h"
#include "head_job.h"
#include "network/blas.h"
#include "tuned_file.h"
#include <math.h>
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
  char run[65], data[65], base_sha256[65];
  bool was_int8;
  double begin; /* of cam_tuner_fit */
  train_end end, end_of_head;
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

/* The model, in float32 whatever it is in. */
static cam_code load_base(cam_tuner *tuner, cam_error *error) {
  cam_graph *own = NULL;
  cam_code code = graph_load(tuner->options.model, &own, error);
  if (code)
    return code;
  strcpy(tuner->base_sha256, safetensors_sha256(own->file));
  if (!own->is_int8) {
    tuner->base = own;
    return CAM_OK;
  }
  tuner->was_int8 = true;
  code = dequantize(own, &tuner->base, error);
  graph_free(own);
  return code;
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
  tuner->end = (train_end){.calls = &tuner->calls};
  if (options->seconds > 0)
    tuner->end.at = clock_seconds() + options->seconds;
  blas_init();
  cam_code code = blas_reserve(options->threads, error);
  if (!code)
    tuner->reserved = options->threads;
  if (!code)
    code = load_base(tuner, error);
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

/* The share of the network's work that is behind the cut. */
static double share_behind(const cam_tuner *tuner) {
  const cam_graph *graph = &tuner->tuned.graph;
  int(*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape);
  double behind = 0, all = 1;
  if (shape && !graph_shapes(graph, graph->height, graph->width, shape, NULL))
    for (int i = 0; i < graph->n_nodes; i++) {
      const double work = (double)node_multiply_adds(&graph->nodes[i], shape[i][0], shape[i][1]);
      all += work;
      if (i > tuner->cut)
        behind += work;
    }
  free(shape);
  return behind / all;
}

double cam_tuner_estimate(cam_tuner *tuner, int n_train, int n_val, bool looked) {
  const cam_tune_options *options = &tuner->options;
  const double behind = share_behind(tuner);
  double pass, decode, seconds = 0, passes_a_look = 0;
  samples_time(tuner->samples, &pass, &decode);
  if (fits_head(tuner))
    passes_a_look = 1;
  if (options->stage == CAM_TUNE_LAST)
    passes_a_look += 1 - behind;
  if (!looked)
    seconds = (n_val + n_train) * decode +
              (n_val + n_train * (1 + options->flip)) * passes_a_look * pass;
  if (options->stage != CAM_TUNE_HEAD)
    seconds += options->epochs * (passes_a_step * n_train + n_val) * pass * behind;
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
  fprintf(out, "%s %d %d %d %d %.17g %.17g %.17g %.17g %d %d %d %d %llu %d", tuner->base_sha256,
          o->stage, o->keep_classes, o->epochs, o->batch, o->rate, o->momentum, o->weight_decay,
          o->keep_prob, o->schedule, o->flip, o->balance, o->patience, (unsigned long long)o->seed,
          o->resize);
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

static head_job head_job_of(const cam_tuner *tuner) {
  return (head_job){.tuned = &tuner->tuned,
                    .from = tuner->samples,
                    .list = tuner->list,
                    .balance = tuner->options.balance,
                    .decay = head_decay(tuner),
                    .end = &tuner->end_of_head};
}

/* The head's values go where the network, or the file, finds them. */
static void keep_head(cam_tuner *tuner, head_result *result) {
  if (tuner->tuned.is_new) {
    memcpy(tuner->tuned.values, result->weight, tuner->tuned.weight.count * sizeof(float));
    return;
  }
  tuner->own_head = result->weight;
  result->weight = NULL;
}

static void tell_head(cam_tuner *tuner, const head_result *result, const head_figures *val) {
  cam_tune_figures *figures = &tuner->figures;
  const cam_tune_epoch epoch = {.stage = CAM_TUNE_HEAD,
                                .loss = result->cross_entropy + result->weight_decay,
                                .cross_entropy = result->cross_entropy,
                                .weight_decay = result->weight_decay,
                                .train_accuracy = result->accuracy,
                                .val_accuracy = val->accuracy,
                                .val_loss = val->loss,
                                .seconds = clock_seconds() - tuner->begin,
                                .iterations = result->iterations,
                                .best = true};
  figures->train_accuracy = result->accuracy;
  figures->val_accuracy = figures->start_accuracy = val->accuracy;
  figures->val_loss = val->loss;
  figures->temperature = val->temperature;
  figures->stopped = result->stopped;
  tuner->calls.epoch(tuner->calls.closure, &epoch);
}

static cam_code fit_head(cam_tuner *tuner, cam_error *error) {
  const head_job job = head_job_of(tuner);
  head_result result = {0};
  head_figures val;
  cam_code code = head_job_fit(&job, &tuner->train, 1 + tuner->options.flip, &result, error);
  if (!code)
    code = head_job_validate(&job, &tuner->val, result.weight, &val, error);
  if (code == CAM_E_DEADLINE && result.iterations) /* what it comes to is not known then */
    code = CAM_OK;
  if (!code) {
    keep_head(tuner, &result);
    tell_head(tuner, &result, &val);
  }
  free(result.weight);
  return code;
}

bool cam_tuner_try_fewer(cam_tuner *tuner, int per_class, int *right) {
  const head_job job = head_job_of(tuner);
  head_result result = {0};
  head_figures val = {0};
  sample_part fewer = {0};
  cam_error error;
  if (!fits_head(tuner) || !tuner->val.n || train_end_has_come(&tuner->end))
    return false;
  const bool done = head_job_take_fewer(&job, &tuner->train, per_class, &fewer) &&
                    !head_job_fit(&job, &fewer, 1, &result, &error) &&
                    !head_job_validate(&job, &tuner->val, result.weight, &val, &error);
  *right = (int)lround(val.accuracy * tuner->val.n);
  free(fewer.members);
  free(result.weight);
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
                      .begin = tuner->begin,
                      .end = &tuner->end};
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

/* The time that the photos took is no reason to end a head that is fitted in less. */
static const double head_seconds = 1;

cam_code cam_tuner_fit(cam_tuner *tuner, cam_error *error) {
  tuner->begin = clock_seconds();
  tuner->end_of_head = tuner->end;
  if (tuner->end.at > 0)
    tuner->end_of_head.at = fmax(tuner->end.at, tuner->begin + head_seconds);
  cam_code code = settle_parts(tuner, error);
  tuner->figures = (cam_tune_figures){.classes = tuner->tuned.graph.n_classes,
                                      .kept = CAM_TUNE_HEAD,
                                      .was_int8 = tuner->was_int8,
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

/* ---- the file ---- */

/* In 8 bits: photos that show what values to expect; more hardly change the answers. */
enum { SHOWN_PHOTOS = 40 };
typedef struct shown_photos {
  const cam_tuner *tuner;
  int next; /* of the number below */
} shown_photos;

/* Every so many of those that are trained on, in their order by class and pixels. */
static cam_code show_photo(void *closure, const char **name, uint8_t **bytes, size_t *n,
                           cam_error *error) {
  shown_photos *shown = closure;
  const cam_tuner *tuner = shown->tuner;
  const int count = min_int(tuner->train.n, SHOWN_PHOTOS);
  (void)error;
  *name = NULL;
  if (shown->next >= count)
    return CAM_OK;
  const int64_t at = (2 * (int64_t)shown->next++ + 1) * tuner->train.n / (2 * count);
  cam_bytes photo = {0};
  cam_error why;
  *name = "a photo to train on";
  *bytes = NULL; /* one that cannot be read any more is passed over */
  if (tuner->calls.read(tuner->calls.closure, tuner->train.members[at], &photo, &why))
    return CAM_OK;
  *bytes = photo.data;
  *n = photo.size;
  return CAM_OK;
}

cam_code cam_tuner_write(cam_tuner *tuner, const char *path, cam_error *error) {
  shown_photos shown = {.tuner = tuner};
  const cam_convert_options int8 = {
      .int8 = true, .photo = show_photo, .photos = &shown, .limits = &tuner->options.limits};
  const tuned_story story = {.base = tuner->base,
                             .base_sha256 = tuner->base_sha256,
                             .tuned = &tuner->tuned,
                             .names = tuner->names,
                             .options = &tuner->options,
                             .figures = &tuner->figures,
                             .run = tuner->run,
                             .data = tuner->data,
                             .int8 = tuner->was_int8 ? &int8 : NULL};
  return tuned_file_write(path, &story, values_of_tensor, tuner, tuner->options.threads, error);
}

void cam_tuner_done(cam_tuner *tuner) {
  if (tuner->options.checkpoint)
    unlink(tuner->options.checkpoint);
}
