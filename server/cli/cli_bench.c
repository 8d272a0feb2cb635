/* cli_bench.c - camserve bench: milliseconds of the forward pass and of the whole way of a photo,
 * stage by stage; or (--layers) of each layer, beside what the host could do at best. Thread: main.
 * The photo is made in memory, so that two machines measure the same; --photo takes a real one (a
 * JPEG costs more to decode). */
#include "cam_clock.h"
#include "cam_json.h"
#include "cam_minmax.h"
#include "cli.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH, RUNS, PHOTO, LAYERS, CHECK, JSON }; /* rows of its options in server/cli/main.c */
enum {
  MADE_WIDTH = 500,
  MADE_HEIGHT = 436,
  BMP_HEADER = 54,
  WARM_UP = 3,
  TOTAL = CAM_STAGE_COUNT,
  SERIES
};

/* ---- the made photo: a 24-bit BMP of soft waves with a little noise, as compressible as a photo
 * ---- */

static void put_le32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++)
    at[i] = (uint8_t)(value >> 8 * i);
}

static cam_code make_photo(cam_bytes *out, cam_error *error) {
  enum { ROW = MADE_WIDTH * 3, SIZE = BMP_HEADER + ROW * MADE_HEIGHT };
  _Static_assert(ROW % 4 == 0, "rows of a BMP are padded to four bytes");
  uint8_t *bmp = calloc(1, SIZE);
  if (!bmp)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a photo of %d bytes", SIZE);
  memcpy(bmp, "BM", 2);
  put_le32(bmp + 2, SIZE);
  put_le32(bmp + 10, BMP_HEADER);
  put_le32(bmp + 14, 40); /* BITMAPINFOHEADER */
  put_le32(bmp + 18, MADE_WIDTH);
  put_le32(bmp + 22, MADE_HEIGHT);
  bmp[26] = 1;
  bmp[28] = 24;
  uint32_t noise = 1;
  for (int y = 0; y < MADE_HEIGHT; y++)
    for (int x = 0; x < ROW; x++) {
      noise = noise * 1664525 + 1013904223; /* Numerical Recipes, section 7.1 */
      double wave = sin(x * 0.011 + (x % 3)) + cos(y * 0.023 - x * 0.004);
      bmp[BMP_HEADER + y * ROW + x] = (uint8_t)(128 + 55 * wave + (int)(noise >> 29));
    }
  *out = (cam_bytes){bmp, SIZE};
  return CAM_OK;
}

/* ---- measuring ---- */

typedef struct bench {
  int batch, runs, threads;
  cam_context *context;
  cam_bytes photo;
  cam_result shape;   /* of the photo: sizes alone */
  double *forward_ms; /* [runs] */
  double *ms;         /* [SERIES, runs]: each stage, then the total */
  cam_layer *layers;  /* [n_layers]; NULL: not asked for */
  int n_layers;
  double layers_ms; /* of a whole pass */
  cam_host host;
  double *reference; /* [classes]: logits; NULL: not asked for */
  double difference;
} bench;

static cam_code run_pipeline(bench *b, int run, cam_error *error) {
  cam_params params = cam_default_params;
  cam_task tasks[CAM_MAX_TASKS];
  double stage_ms[CAM_STAGE_COUNT] = {0};
  for (int i = 0; i < b->batch; i++)
    tasks[i] = (cam_task){.bytes = b->photo.data, .n_bytes = b->photo.size, .params = &params};
  double begin = 1e3 * clock_seconds();
  cam_explain(b->context, tasks, b->batch, 0, stage_ms);
  double total = 1e3 * clock_seconds() - begin;
  for (int i = 0; i < b->batch; i++) {
    if (tasks[i].error.code)
      *error = tasks[i].error;
    else
      b->shape = tasks[i].result;
    cam_result_free(&tasks[i].result);
  }
  for (int stage = 0; stage < CAM_STAGE_COUNT && run >= 0; stage++)
    b->ms[stage * b->runs + run] = stage_ms[stage];
  if (run >= 0)
    b->ms[TOTAL * b->runs + run] = total;
  return error->code;
}

static cam_code measure_layers(bench *b, cam_error *error) {
  double warm_up[WARM_UP];
  b->n_layers = cam_bench_layer_count(b->context);
  b->layers = calloc((size_t)b->n_layers, sizeof *b->layers);
  if (!b->layers)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d layers", b->n_layers);
  cam_code code = cam_bench_forward(b->context, 1, WARM_UP, warm_up, error);
  if (!code)
    code = cam_bench_host(b->context, &b->host, error);
  if (!code)
    code = cam_bench_layers(b->context, b->runs, b->layers, &b->layers_ms, error);
  return code;
}

static cam_code measure_reference(bench *b, int classes, cam_error *error) {
  b->reference = calloc((size_t)classes, sizeof *b->reference);
  if (!b->reference)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d logits", classes);
  return cam_bench_reference(b->context, b->reference, &b->difference, error);
}

static cam_code measure(bench *b, cam_error *error) {
  double warm_up[WARM_UP];
  b->forward_ms = calloc((size_t)b->runs, sizeof *b->forward_ms);
  b->ms = calloc((size_t)b->runs * SERIES, sizeof *b->ms);
  if (!b->forward_ms || !b->ms)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d runs", b->runs);
  cam_code code = cam_bench_forward(b->context, b->batch, WARM_UP, warm_up, error);
  if (!code)
    code = cam_bench_forward(b->context, b->batch, b->runs, b->forward_ms, error);
  for (int run = -WARM_UP; run < b->runs && !code; run++)
    code = run_pipeline(b, run, error);
  return code;
}

/* ---- telling ---- */

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static const struct {
  const char *name;
  double share;
} quantiles[] = {{"min", 0}, {"p50", 0.50}, {"p99", 0.99}};
enum { QUANTILES = sizeof quantiles / sizeof *quantiles };

/* By nearest rank; sorts the series. */
static void summarise(double *series, int n, double out[QUANTILES]) {
  qsort(series, (size_t)n, sizeof *series, compare);
  for (int i = 0; i < QUANTILES; i++) {
    int rank = (int)ceil(quantiles[i].share * n);
    out[i] = series[max_int(rank - 1, 0)];
  }
}

static const char *series_name(int series) {
  return series == TOTAL ? "total" : cam_stage_name((cam_stage)series);
}

static void print_line(const char *indent, const char *name, double *series, int n) {
  double values[QUANTILES];
  summarise(series, n, values);
  printf("%s%-*s", indent, 12 - (int)strlen(indent), name);
  for (int i = 0; i < QUANTILES; i++)
    printf("%10.3f", values[i]);
}

static void print_heading(const bench *b, const cam_model_info *info) {
  printf("%s, kernels %s, %d thread%s, %d photo%s at a time, %d runs; milliseconds\n", info->name,
         info->isa, b->threads, cli_plural(b->threads), b->batch, cli_plural(b->batch), b->runs);
}

static void print_stages(const bench *b, const cam_model_info *info) {
  printf("%12s", "");
  for (int i = 0; i < QUANTILES; i++)
    printf("%10s", quantiles[i].name);
  printf("\n");
  print_line("", "forward", b->forward_ms, b->runs);
  printf("   made picture, %dx%d, maps of 3 labels included\n", info->width, info->height);
  print_line("", "explain", b->ms + TOTAL * b->runs, b->runs);
  printf("   %dx%d %s seen as %dx%d, %d overlays\n", b->shape.width, b->shape.height,
         cam_format_name(b->shape.format), b->shape.input_width, b->shape.input_height,
         b->shape.count);
  for (int stage = 0; stage < CAM_STAGE_COUNT; stage++) {
    print_line("  ", series_name(stage), b->ms + stage * b->runs, b->runs);
    printf("\n");
  }
}

/* ---- layers: the least time that the arithmetic, or the bytes, of a layer could take here, and
 * which of the two is longer ---- */

typedef struct bound {
  const char *name;
  double share; /* of the time it took */
} bound;

static bound bound_of(const cam_layer *layer, const cam_host *host) {
  const double speed = layer->int8 ? host->int8_gops : host->gflops;
  double arithmetic = 2.0 * (double)layer->products / (speed * 1e6),
         memory = (double)layer->bytes / (host->gbytes * 1e6);
  if (arithmetic > memory)
    return (bound){"arithmetic", arithmetic / layer->ms};
  return (bound){"memory", memory / layer->ms};
}

static double gflops_of(uint64_t multiply_adds, double ms) {
  return 2.0 * (double)multiply_adds / (ms * 1e6);
}

static void print_layers(const bench *b) {
  cam_layer sum = {.name = "all"};
  for (int i = 0; i < b->n_layers; i++)
    sum.ms += b->layers[i].ms;
  printf("This host, %d thread%s: %.0f GFLOP/s of multiply-adds in registers, %.0f of 8 bits, %.1f "
         "GB/s read from memory.\n"
         "GFLOP/s are by the layer's definition (Winograd needs fewer). Bound: what would take "
         "longer here at best, the\n"
         "arithmetic of the method or the bytes (weights, planes, each once), and that time as a "
         "share of the time it took.\n\n"
         "%-26s %-14s %13s %8s %6s %8s %8s  %s\n",
         b->threads, cli_plural(b->threads), b->host.gflops, b->host.int8_gops, b->host.gbytes,
         "layer", "kind", "output", "ms", "share", "GFLOP/s", "MB", "bound");
  for (int i = 0; i < b->n_layers; i++) {
    const cam_layer *l = &b->layers[i];
    char output[40];
    bound best = bound_of(l, &b->host);
    snprintf(output, sizeof output, "%dx%dx%d", l->height, l->width, l->channels);
    printf("%-26s %-14s %13s %8.3f %5.1f%% %8.1f %8.2f  %-10s %3.0f%%\n", l->name, l->kind, output,
           l->ms, 100 * l->ms / sum.ms, gflops_of(l->multiply_adds, l->ms), (double)l->bytes * 1e-6,
           best.name, 100 * best.share);
    sum.multiply_adds += l->multiply_adds;
    sum.bytes += l->bytes;
  }
  printf("%-55s %8.3f %6s %8.1f %8.2f\nThe shortest whole pass: %.3f ms.\n", sum.name, sum.ms, "",
         gflops_of(sum.multiply_adds, sum.ms), (double)sum.bytes * 1e-6, b->layers_ms);
}

static double largest_magnitude(const double *values, int n) {
  double most = 0;
  for (int i = 0; i < n; i++)
    most = fmax(most, fabs(values[i]));
  return most;
}

static void print_people(const bench *b, const cam_model_info *info) {
  print_heading(b, info);
  if (b->layers)
    print_layers(b);
  else
    print_stages(b, info);
  if (!b->reference)
    return;
  double largest = largest_magnitude(b->reference, info->classes);
  printf("logits: at most %.2g from the float64 reference, %.2g of the largest (%.4g)\n",
         b->difference, b->difference / largest, largest);
}

static void add_series(json *parent, const char *name, double *series, int n) {
  double values[QUANTILES];
  summarise(series, n, values);
  json *object = json_add_object(parent, name);
  for (int i = 0; i < QUANTILES; i++)
    json_add_fixed(object, quantiles[i].name, values[i], 4);
}

static void add_stages(json *tree, const bench *b) {
  json *photo = json_add_object(tree, "photo");
  json_add_int(photo, "width", b->shape.width);
  json_add_int(photo, "height", b->shape.height);
  json_add_text(photo, "format", cam_format_name(b->shape.format));
  add_series(tree, "forward_ms", b->forward_ms, b->runs);
  json *pipeline = json_add_object(tree, "pipeline_ms");
  for (int i = 0; i < SERIES; i++)
    add_series(pipeline, series_name(i), b->ms + i * b->runs, b->runs);
}

static void add_layers(json *tree, const bench *b) {
  json *host = json_add_object(tree, "host");
  json_add_fixed(host, "gflops", b->host.gflops, 1);
  json_add_fixed(host, "int8_gops", b->host.int8_gops, 1);
  json_add_fixed(host, "gbytes", b->host.gbytes, 2);
  json_add_fixed(tree, "forward_ms", b->layers_ms, 4);
  json *list = json_add_array(tree, "layers");
  for (int i = 0; i < b->n_layers; i++) {
    const cam_layer *l = &b->layers[i];
    bound best = bound_of(l, &b->host);
    json *object = json_add_object(list, NULL);
    json_add_text(object, "name", l->name);
    json_add_text(object, "kind", l->kind);
    json_add_int(object, "height", l->height);
    json_add_int(object, "width", l->width);
    json_add_int(object, "channels", l->channels);
    json_add_fixed(object, "ms", l->ms, 4);
    json_add_int(object, "multiply_adds", (int64_t)l->multiply_adds);
    json_add_int(object, "products", (int64_t)l->products);
    json_add_int(object, "bytes", (int64_t)l->bytes);
    json_add_text(object, "bound", best.name);
    json_add_fixed(object, "bound_share", best.share, 3);
  }
}

static void add_reference(json *tree, const bench *b, int classes) {
  json *reference = json_add_object(tree, "reference");
  json_add_number(reference, "difference", b->difference);
  json_add_number(reference, "largest", largest_magnitude(b->reference, classes));
  json *logits = json_add_array(reference, "logits");
  for (int c = 0; c < classes; c++)
    json_add_number(logits, NULL, b->reference[c]);
}

static bool print_as_json(const bench *b, const cam_model_info *info) {
  json *tree = json_new_object();
  json_add_text(tree, "model", info->name);
  json_add_text(tree, "isa", info->isa);
  json_add_int(tree, "threads", b->threads);
  json_add_int(tree, "batch", b->batch);
  json_add_int(tree, "runs", b->runs);
  if (b->layers)
    add_layers(tree, b);
  else
    add_stages(tree, b);
  if (b->reference)
    add_reference(tree, b, info->classes);
  char *text = json_print(tree, true, NULL);
  bool printed = text && puts(text) != EOF;
  free(text);
  json_free(tree);
  return printed;
}

static cam_code load_photo(bench *b, const cli *arguments, cam_error *error) {
  const char *path = arguments->options[PHOTO];
  cam_error why;
  if (!path)
    return make_photo(&b->photo, error);
  const cam_code code = cli_read(path, (size_t)arguments->config.max_body_bytes, &b->photo, &why);
  if (code)
    cam_fail(error, code, "%.80s: %s", path, why.detail);
  return code;
}

static cam_code measure_what_is_asked(bench *b, const cli *arguments, int classes,
                                      cam_error *error) {
  cam_code code;
  if (arguments->options[LAYERS])
    code = measure_layers(b, error);
  else
    code = measure(b, error);
  if (!code && arguments->options[CHECK])
    code = measure_reference(b, classes, error);
  return code;
}

int cli_bench(const cli *arguments) {
  bench b = {.threads = config_threads(&arguments->config)};
  cam_model *model = NULL;
  cam_error error = {0};
  cam_limits limits = config_limits(&arguments->config);
  int exit_code = EXIT_DONE;
  if (cli_number(arguments, BATCH, 1, CAM_MAX_TASKS, 1, &b.batch, &error) ||
      cli_number(arguments, RUNS, 1, 100000, 50, &b.runs, &error) ||
      cli_load(&arguments->config, &model, &error) ||
      cam_context_create(model, b.threads, &limits, &b.context, &error) ||
      load_photo(&b, arguments, &error)) {
    exit_code = cli_fail(NULL, &error);
  } else {
    const cam_model_info *info = cam_model_get_info(model);
    if (measure_what_is_asked(&b, arguments, info->classes, &error))
      exit_code = cli_fail(arguments->options[PHOTO], &error);
    else if (!arguments->options[JSON])
      print_people(&b, info);
    else if (!print_as_json(&b, info))
      exit_code = EXIT_FAILED;
  }
  free(b.reference);
  free(b.layers);
  free(b.ms);
  free(b.forward_ms);
  free(b.photo.data);
  cam_context_free(b.context);
  cam_model_free(model);
  return exit_code;
}
