/* samples.c - samples.h. A sample has for each kind and each of its two views a place, which is
 * empty or holds what was computed. Room is taken in the order in which photos come to an end, so
 * that what is kept differs from run to run, but not what is got: a place is only ever a shortcut.
 */
#include "samples.h"
#include "cam_clock.h"
#include "cam_minmax.h"
#include "cut_model.h"
#include "model/pixels.h"
#include "photo_input.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { VIEWS = 2, PHOTOS_TIMED = 4 };

typedef struct kept_sample {
  int shape[SAMPLE_KINDS][2];
  void *places[SAMPLE_KINDS][VIEWS]; /* floats; 8-bit RGB of a picture */
} kept_sample;

struct samples {
  samples_plan plan;
  cam_team *team;
  cut_model cuts[SAMPLE_PICTURE];  /* by kind; no network: that kind is not asked for */
  cut_run (*runs)[SAMPLE_PICTURE]; /* [threads] */
  kept_sample *kept;               /* [plan.n] */
  _Atomic size_t room;             /* bytes that are left */
  atomic_int done;
  pthread_mutex_t telling;
};

/* ---- one photo ---- */

static bool is_asked(const samples *s, sample_kind kind) {
  if (kind == SAMPLE_PICTURE)
    return s->plan.pictures;
  return s->cuts[kind].net;
}

int samples_channels(const samples *s, sample_kind kind) {
  if (kind == SAMPLE_PICTURE)
    return 3;
  return s->cuts[kind].channels;
}

const int *samples_shape(const samples *s, int sample, sample_kind kind) {
  return s->kept[sample].shape[kind];
}

static size_t values_in(const samples *s, int sample, sample_kind kind) {
  const int *shape = s->kept[sample].shape[kind];
  return (size_t)shape[0] * (size_t)shape[1] * (size_t)samples_channels(s, kind);
}

static size_t sample_bytes(const samples *s, int sample, sample_kind kind) {
  const size_t values = values_in(s, sample, kind);
  if (kind == SAMPLE_PICTURE)
    return values;
  return values * sizeof(float);
}

/* Takes room for so many bytes. False: there is none left. */
static bool take_room(samples *s, size_t bytes) {
  size_t left = atomic_load(&s->room);
  while (left >= bytes)
    if (atomic_compare_exchange_weak(&s->room, &left, left - bytes))
      return true;
  return false;
}

/* The picture of a sample's photo. hash as in photo_input. */
static cam_code read_sample_picture(const samples *s, int sample, cam_image *out, char hash[65],
                                    cam_error *error) {
  const cam_tune_calls *calls = s->plan.calls;
  const cam_tune_options *options = s->plan.options;
  cam_bytes bytes = {0};
  *out = (cam_image){0};
  if (calls->stop(calls->closure))
    return cam_fail(error, CAM_E_DEADLINE, "stopped before it was read");
  cam_code code = calls->read(calls->closure, sample, &bytes, error);
  if (!code)
    code = photo_input(s->plan.graph, &options->limits, options->resize, bytes.data, bytes.size,
                       out, hash, error);
  free(bytes.data);
  return code;
}

/* What the network gives for a picture, into floats. */
static cam_code compute(samples *s, sample_kind kind, const cam_image *picture, int thread,
                        float *out, cam_error *error) {
  if (kind != SAMPLE_PICTURE)
    return cut_run_do(&s->runs[thread][kind], picture, out, error);
  pixels_normalize(s->plan.graph, picture->rgb, (size_t)picture->width * (size_t)picture->height,
                   out);
  return CAM_OK;
}

/* A place for what a view gives, if there is room. */
static cam_code keep_view(samples *s, int sample, sample_kind kind, bool mirrored,
                          const cam_image *picture, int thread, cam_error *error) {
  const size_t bytes = sample_bytes(s, sample, kind);
  if (!take_room(s, bytes))
    return CAM_OK;
  void *place = malloc(bytes);
  if (!place)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu bytes of a photo", bytes);
  cam_code code = CAM_OK;
  if (kind == SAMPLE_PICTURE)
    memcpy(place, picture->rgb, bytes);
  else
    code = compute(s, kind, picture, thread, place, error);
  if (code)
    free(place);
  else
    s->kept[sample].places[kind][mirrored] = place;
  return code;
}

/* ---- all photos, once ---- */

static cam_code measure_sample(samples *s, int sample, const cam_image *picture, int thread,
                               cam_error *error) {
  cam_code code = CAM_OK;
  for (int kind = 0; kind < SAMPLE_KINDS && !code; kind++) {
    int *shape = s->kept[sample].shape[kind];
    shape[0] = picture->height;
    shape[1] = picture->width;
    if (kind != SAMPLE_PICTURE && is_asked(s, kind))
      code = cut_run_shape(&s->runs[thread][kind], picture->height, picture->width, shape, error);
  }
  return code;
}

/* Features of both views come first: they are the smallest and asked for most often. A picture is
 * mirrored in no time, and kept once. */
static cam_code keep_sample(samples *s, int sample, cam_image *picture, int thread,
                            cam_error *error) {
  cam_code code = CAM_OK;
  for (int view = 0; view < VIEWS && !code; view++) {
    if (view && (!s->plan.options->flip || s->plan.list[sample].is_val))
      break;
    if (view)
      photo_input_mirror(picture);
    for (int kind = 0; kind < SAMPLE_KINDS && !code; kind++)
      if (is_asked(s, kind) && !(view && kind == SAMPLE_PICTURE))
        code = keep_view(s, sample, kind, view, picture, thread, error);
  }
  return code;
}

typedef struct look_call {
  samples *s;
  bool passes; /* through the networks */
} look_call;

static void tell_looked(samples *s) {
  const cam_tune_calls *calls = s->plan.calls;
  const int done = 1 + atomic_fetch_add(&s->done, 1);
  if (!calls->progress || pthread_mutex_trylock(&s->telling))
    return;
  calls->progress(calls->closure, done, s->plan.n);
  pthread_mutex_unlock(&s->telling);
}

static void look_at(void *closure, int index, int thread) {
  const look_call *call = closure;
  samples *s = call->s;
  cam_tune_sample *sample = &s->plan.list[index];
  cam_image picture = {0};
  if (sample->error.code)
    return;
  cam_code code = read_sample_picture(s, index, &picture, sample->hash, &sample->error);
  if (!code)
    code = measure_sample(s, index, &picture, thread, &sample->error);
  if (!code && call->passes)
    keep_sample(s, index, &picture, thread, &sample->error);
  image_free(&picture);
  tell_looked(s);
}

cam_code samples_look(samples *s, bool passes, cam_error *error) {
  look_call call = {s, passes};
  atomic_store(&s->done, 0);
  team_for(s->team, s->plan.n, look_at, &call);
  for (int i = 0; i < s->plan.n; i++)
    if (s->plan.list[i].error.code == CAM_E_NO_MEMORY) {
      *error = s->plan.list[i].error;
      return error->code;
    }
  return CAM_OK;
}

/* A photo through the whole network. */
static cam_code time_photo(samples *s, cut_run *whole, int sample, float *logits, double *pass,
                           double *decode) {
  const double begin = clock_seconds();
  cam_image picture;
  cam_error error;
  cam_code code = read_sample_picture(s, sample, &picture, NULL, &error);
  *decode = clock_seconds() - begin;
  if (!code)
    code = cut_run_do(whole, &picture, logits, &error);
  *pass = clock_seconds() - begin - *decode;
  image_free(&picture);
  return code;
}

/* The quickest of the first photos: nothing came in between. */
static void time_photos(samples *s, cut_run *whole, float *logits, double *pass, double *decode) {
  int timed = 0;
  for (int i = 0; i < s->plan.n && timed < PHOTOS_TIMED; i++) {
    double its_pass, its_decode;
    if (s->plan.list[i].error.code || time_photo(s, whole, i, logits, &its_pass, &its_decode))
      continue;
    if (!timed++ || its_pass + its_decode < *pass + *decode) {
      *pass = its_pass;
      *decode = its_decode;
    }
  }
}

void samples_time(samples *s, double *pass, double *decode) {
  const cam_graph *graph = s->plan.graph;
  cut_model cut = {0};
  cut_run whole = {0};
  cam_error error;
  float *logits = malloc((size_t)graph->n_classes * sizeof *logits);
  *pass = *decode = 0;
  if (logits && !cut_model_make(graph, graph->n_nodes - 1, &cut, &error) &&
      !cut_run_make(&cut, &whole, &error))
    time_photos(s, &whole, logits, pass, decode);
  cut_run_free(&whole);
  cut_model_free(&cut);
  free(logits);
}

/* ---- what was asked for ---- */

typedef struct get_call {
  samples *s;
  sample_kind kind;
  const sample_view *views;
  float *const *out;
  _Atomic(int) failed; /* 1 + the index of one that has */
  cam_error *error;
  pthread_mutex_t failing;
} get_call;

/* From a place. False: it is empty. */
static bool get_kept(const samples *s, sample_kind kind, const sample_view *view, float *out) {
  const size_t values = values_in(s, view->sample, kind);
  const int *shape = s->kept[view->sample].shape[kind];
  const void *place = s->kept[view->sample].places[kind][view->mirrored];
  if (kind != SAMPLE_PICTURE) {
    if (place)
      memcpy(out, place, values * sizeof *out);
    return place;
  }
  place = s->kept[view->sample].places[kind][0];
  if (!place)
    return false;
  if (!view->mirrored) {
    pixels_normalize(s->plan.graph, place, values / 3, out);
    return true;
  }
  cam_image turned;
  if (!image_alloc(&turned, shape[1], shape[0]))
    return false;
  memcpy(turned.rgb, place, values);
  photo_input_mirror(&turned);
  pixels_normalize(s->plan.graph, turned.rgb, values / 3, out);
  image_free(&turned);
  return true;
}

static cam_code get_anew(samples *s, sample_kind kind, const sample_view *view, int thread,
                         float *out, cam_error *error) {
  const int *shape = s->kept[view->sample].shape[SAMPLE_PICTURE];
  cam_image picture;
  char hash[65];
  cam_code code = read_sample_picture(s, view->sample, &picture, hash, error);
  if (!code && strcmp(hash, s->plan.list[view->sample].hash))
    code = cam_fail(error, CAM_E_IO, "a photo has changed since it was looked at");
  if (!code && (picture.height != shape[0] || picture.width != shape[1]))
    code = cam_fail(error, CAM_E_INTERNAL, "a photo of another size than it had");
  if (!code && view->mirrored)
    photo_input_mirror(&picture);
  if (!code)
    code = compute(s, kind, &picture, thread, out, error);
  image_free(&picture);
  return code;
}

static void get_one(void *closure, int index, int thread) {
  get_call *call = closure;
  cam_error error;
  if (get_kept(call->s, call->kind, &call->views[index], call->out[index]) ||
      atomic_load(&call->failed))
    return;
  if (!get_anew(call->s, call->kind, &call->views[index], thread, call->out[index], &error))
    return;
  pthread_mutex_lock(&call->failing);
  if (!atomic_load(&call->failed))
    *call->error = error;
  atomic_store(&call->failed, index + 1);
  pthread_mutex_unlock(&call->failing);
}

cam_code samples_get(samples *s, sample_kind kind, int n, const sample_view *views,
                     float *const *out, cam_error *error) {
  cam_error why = {0};
  get_call call = {.s = s,
                   .kind = kind,
                   .views = views,
                   .out = out,
                   .error = &why,
                   .failing = PTHREAD_MUTEX_INITIALIZER};
  team_for(s->team, n, get_one, &call);
  if (!atomic_load(&call.failed))
    return CAM_OK;
  *error = why;
  return why.code;
}

/* ---- made and freed ---- */

static cam_code make_runs(samples *s, cam_error *error) {
  const int threads = team_threads(s->team);
  cam_code code = CAM_OK;
  s->runs = calloc((size_t)threads, sizeof *s->runs);
  if (!s->runs)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d threads", threads);
  for (int t = 0; t < threads && !code; t++)
    for (int kind = 0; kind < SAMPLE_PICTURE && !code; kind++)
      if (is_asked(s, kind))
        code = cut_run_make(&s->cuts[kind], &s->runs[t][kind], error);
  return code;
}

cam_code samples_create(const samples_plan *plan, cam_team *team, samples **out, cam_error *error) {
  samples *s = *out = calloc(1, sizeof *s);
  if (!s)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the photos");
  s->plan = *plan;
  s->team = team;
  s->telling = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
  atomic_store(&s->room, plan->options->memory);
  s->kept = calloc((size_t)plan->n + 1, sizeof *s->kept);
  if (!s->kept)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d photos", plan->n);
  cam_code code = CAM_OK;
  if (plan->features_node >= 0)
    code = cut_model_make(plan->graph, plan->features_node, &s->cuts[SAMPLE_FEATURES], error);
  if (!code && plan->plane_node >= 0)
    code = cut_model_make(plan->graph, plan->plane_node, &s->cuts[SAMPLE_PLANE], error);
  if (!code)
    code = make_runs(s, error);
  return code;
}

static void free_places(kept_sample *kept) {
  for (int kind = 0; kind < SAMPLE_KINDS; kind++)
    for (int view = 0; view < VIEWS; view++)
      free(kept->places[kind][view]);
}

void samples_free(samples *s) {
  if (!s)
    return;
  for (int t = 0; s->runs && t < team_threads(s->team); t++)
    for (int kind = 0; kind < SAMPLE_PICTURE; kind++)
      cut_run_free(&s->runs[t][kind]);
  for (int i = 0; s->kept && i < s->plan.n; i++)
    free_places(&s->kept[i]);
  for (int kind = 0; kind < SAMPLE_PICTURE; kind++)
    cut_model_free(&s->cuts[kind]);
  free(s->runs);
  free(s->kept);
  free(s);
}
