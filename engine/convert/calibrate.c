/* calibrate.c - calibrate.h. Untrusted input: the photos, which are decoded as any others. */
#include "calibrate.h"
#include "cam_clock.h"
#include "cam_minmax.h"
#include "model/model.h"
#include "model/pixels.h"
#include "model/sizes.h"
#include "network/blas.h"
#include "network/forward.h"
#include "photo/decode.h"
#include "photo/resize.h"
#include "report.h"
#include <math.h>
#include <stdlib.h>

/* A network at work. */
typedef struct trial {
  const cam_graph *graph;
  int reserved; /* threads, of OpenBLAS */
  cam_team *team;
  forward *forward;
} trial;

static cam_code trial_open(const cam_convert_options *options, const network *net, trial *out,
                           cam_error *error) {
  int threads = options->threads;
  if (!threads)
    threads = min_int(cam_cpu_count(), CAM_MAX_TEAM);
  *out = (trial){.graph = net->graph};
  cam_code code = blas_reserve(threads, error);
  if (code)
    return code;
  out->reserved = threads;
  code = team_create(threads, &out->team, error);
  if (!code)
    code = forward_create(net, out->team, &out->forward, error);
  return code;
}

static void trial_close(trial *run) {
  blas_release(run->reserved);
  forward_free(run->forward);
  team_free(run->team);
}

static cam_code show(trial *run, const cam_image *input, cam_error *error) {
  void *seen;
  cam_code code = forward_plan(run->forward, input->height, input->width, &seen, error);
  if (!code)
    pixels_see(run->graph, input->rgb, (size_t)input->height * (size_t)input->width, seen);
  return code;
}

/* The class map of one class, for free(); NULL: no memory. */
static float *map_of_class(trial *run, int class_id, int *height, int *width) {
  forward_map_size(run->forward, height, width);
  float *map = malloc((size_t)*height * (size_t)*width * sizeof *map);
  float *const maps[] = {map};
  if (map)
    forward_class_maps(run->forward, 1, &class_id, maps);
  return map;
}

static int largest(const float *logits, int n) {
  int best = 0;
  for (int c = 1; c < n; c++)
    if (logits[c] > logits[best])
      best = c;
  return best;
}

/* ---- photos ---- */

/* A photo's bytes -> what the network sees of it. */
static cam_code read_input_image(const cam_graph *graph, const cam_limits *given,
                                 const cam_bytes *bytes, cam_image *out, cam_error *error) {
  const cam_limits *limits = given ? given : &cam_default_limits;
  cam_photo photo;
  cam_result sizes = {0};
  int least_width, least_height;
  cam_code code = photo_probe(bytes->data, bytes->size, limits, &photo, error);
  if (code)
    return code;
  set_sizes(graph, &photo, &cam_default_params, &sizes);
  least_size(&sizes, &least_width, &least_height);
  if (given && limits->decode_ms)
    photo.plan.deadline = clock_seconds() + 1e-3 * limits->decode_ms;
  code = photo_decode(bytes->data, bytes->size, limits, least_width, least_height, &photo, error);
  if (code)
    return code;
  code = resize_bicubic(&photo.image, sizes.input_width, sizes.input_height, out, error);
  image_free(&photo.image);
  return code;
}

typedef struct watching {
  const cam_graph *graph;
  ranges *seen;
} watching;

static void widen_node(void *closure, const cam_node *node, const float *plane, int cells,
                       int channels, int stride) {
  const watching *w = closure;
  ranges_widen(w->seen, (int)(node - w->graph->nodes), plane, cells, channels, stride);
}

/* The photo's input is there: widens the ranges, keeps logits and map. */
static cam_code watch_photo(trial *run, calibration *c, calibrated_photo *photo, cam_error *error) {
  const cam_graph *graph = run->graph;
  watching w = {graph, &c->seen};
  cam_code code = show(run, &photo->input, error);
  if (code)
    return code;
  photo->logits = malloc((size_t)graph->n_classes * sizeof *photo->logits);
  if (!photo->logits)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the logits of a photo");
  forward_watch(run->forward, photo->logits, widen_node, &w);
  photo->class_id = largest(photo->logits, graph->n_classes);
  photo->map = map_of_class(run, photo->class_id, &photo->map_height, &photo->map_width);
  if (!photo->map)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the class map of a photo");
  ranges_end_photo(&c->seen);
  c->n++;
  return CAM_OK;
}

/* One photo; what cannot be read is said and passed over. */
static cam_code calibrate_photo(const cam_convert_options *options, trial *run, calibration *c,
                                const char *name, const cam_bytes *bytes, cam_error *error) {
  cam_error why = {0};
  calibrated_photo *photo = &c->photos[c->n];
  if (read_input_image(run->graph, options->limits, bytes, &photo->input, &why)) {
    report(options, "passed over: %.120s: %s", name, why.detail);
    return CAM_OK;
  }
  cam_code code = watch_photo(run, c, photo, error);
  if (code)
    c->n++; /* for calibration_free */
  return code;
}

static cam_code calibrate_photos(const cam_convert_options *options, trial *run, calibration *c,
                                 cam_error *error) {
  double said = clock_seconds();
  cam_code code = CAM_OK;
  while (c->n < CALIBRATION_PHOTOS && !code) {
    cam_bytes bytes = {0};
    const char *name = NULL;
    code = options->photo(options->photos, &name, &bytes.data, &bytes.size, error);
    if (code || !name)
      break;
    if (bytes.data)
      code = calibrate_photo(options, run, c, name, &bytes, error);
    free(bytes.data);
    if (clock_seconds() - said < 2)
      continue;
    said = clock_seconds();
    report(options, "calibrating: %d photos ...", c->n);
  }
  if (!code && !c->n)
    code = cam_fail(error, CAM_E_PARAMETER, "--calibrate: no photo that can be read");
  return code;
}

cam_code calibrate(const cam_convert_options *options, const cam_graph *graph, calibration *out,
                   cam_error *error) {
  *out = (calibration){.photos = calloc(CALIBRATION_PHOTOS, sizeof *out->photos)};
  const kernels *k = NULL;
  network *net = NULL;
  trial run = {0};
  if (!out->photos)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d photos", CALIBRATION_PHOTOS);
  blas_init();
  cam_code code = kernels_select(NULL, &k, error);
  if (!code)
    code = ranges_create(graph, &out->seen, error);
  if (!code)
    code = network_create_as(graph, &(network_making){.k = k, .apart = true}, &net, error);
  if (!code)
    code = trial_open(options, net, &run, error);
  if (!code)
    code = calibrate_photos(options, &run, out, error);
  trial_close(&run);
  network_free(net);
  if (code)
    return code;
  ranges_settle(graph, &out->seen);
  report(options, "calibrated with %d photo%s", out->n, out->n == 1 ? "" : "s");
  if (out->n < ENOUGH_PHOTOS)
    report(options, "warning: few show what to expect; %d like those to come are enough",
           ENOUGH_PHOTOS);
  return code;
}

void calibration_free(calibration *c) {
  for (int i = 0; i < c->n; i++) {
    image_free(&c->photos[i].input);
    free(c->photos[i].logits);
    free(c->photos[i].map);
  }
  free(c->photos);
  ranges_free(&c->seen);
  *c = (calibration){0};
}

/* ---- how the answers differ ---- */

static const double LEAST_ALIKE = 0.95; /* of maps on average; less is a warning */

typedef struct differences {
  int changed;                           /* first labels */
  double logit_sum, logit_most, largest; /* of differences; of the float logits' sizes */
  int64_t logits;
  double map_sum, map_least; /* correlations of the first labels' maps */
  int maps;
} differences;

static bool is_flat_map(const float *map, int n) {
  for (int i = 1; i < n; i++)
    if (map[i] != map[0])
      return false;
  return true;
}

/* Pearson's. */
static double correlation(const float *a, const float *b, int n) {
  double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
  for (int i = 0; i < n; i++) {
    mean_a += (double)a[i] / n;
    mean_b += (double)b[i] / n;
  }
  for (int i = 0; i < n; i++) {
    const double x = (double)a[i] - mean_a, y = (double)b[i] - mean_b;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / sqrt(aa * bb);
}

/* A map that is flat in float32 says nothing; one that is so in 8 bits alone shows nothing of what
 * there was to see. */
static void compare_maps(const calibrated_photo *photo, const float *map, differences *d) {
  const int cells = photo->map_height * photo->map_width;
  double alike = 0;
  if (is_flat_map(photo->map, cells))
    return;
  if (!is_flat_map(map, cells))
    alike = correlation(photo->map, map, cells);
  d->map_sum += alike;
  d->map_least = fmin(d->map_least, alike);
  d->maps++;
}

static void compare_logits(const calibrated_photo *photo, const float *logits, int n,
                           differences *d) {
  for (int c = 0; c < n; c++) {
    const double off = fabs((double)photo->logits[c] - (double)logits[c]);
    d->logit_sum += off;
    d->logit_most = fmax(d->logit_most, off);
    d->largest = fmax(d->largest, fabs((double)photo->logits[c]));
  }
  d->logits += n;
  d->changed += largest(logits, n) != photo->class_id;
}

static cam_code compare_photo(trial *run, const calibrated_photo *photo, float *logits,
                              differences *d, cam_error *error) {
  int height, width;
  cam_code code = show(run, &photo->input, error);
  if (code)
    return code;
  forward_run(run->forward, logits, NULL);
  float *map = map_of_class(run, photo->class_id, &height, &width);
  if (!map)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the class map of a photo");
  compare_logits(photo, logits, run->graph->n_classes, d);
  compare_maps(photo, map, d);
  free(map);
  return CAM_OK;
}

static cam_code compare_photos(const cam_convert_options *options, const calibration *c,
                               const cam_model *model, differences *d, cam_error *error) {
  trial run = {0};
  float *logits = malloc((size_t)model->info.classes * sizeof *logits);
  if (!logits)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for logits");
  cam_code code = trial_open(options, model->net, &run, error);
  for (int i = 0; i < c->n && !code; i++)
    code = compare_photo(&run, &c->photos[i], logits, d, error);
  trial_close(&run);
  free(logits);
  return code;
}

static void say_differences(const cam_convert_options *options, const calibration *c,
                            const differences *d) {
  report(options,
         "int8 beside float32, on these photos: first labels agree on %d of %d (%.1f %%); "
         "logits differ by %.2g on average and %.2g at most, the largest being %.3g",
         c->n - d->changed, c->n, 100.0 * (c->n - d->changed) / c->n,
         d->logit_sum / (double)max_int64(d->logits, 1), d->logit_most, d->largest);
  if (d->maps)
    report(options, "  class maps of first labels correlate %.4f on average, %.4f at least",
           d->map_sum / d->maps, d->map_least);
  if (d->maps && d->map_sum < LEAST_ALIKE * d->maps)
    report(options, "warning: class maps correlate %.4f on average, less than %.2f",
           d->map_sum / d->maps, LEAST_ALIKE);
  if (100 * d->changed > 3 * c->n)
    report(options, "warning: first labels change on %.1f %% of the photos, more than 3 %%",
           100.0 * d->changed / c->n);
}

cam_code calibration_compare(const cam_convert_options *options, const calibration *c,
                             const char *path, cam_error *error) {
  cam_model *model = NULL;
  differences d = {.map_least = 1};
  cam_code code = cam_model_load(path, NULL, &model, error);
  if (!code)
    code = compare_photos(options, c, model, &d, error);
  if (!code)
    say_differences(options, c, &d);
  cam_model_free(model);
  return code;
}
