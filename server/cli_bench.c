/* cli_bench.c - camserve bench: milliseconds of the forward pass and of the whole way of a photo, stage by stage. Thread: main.
 * The photo is made in memory, so that two machines measure the same; --photo takes a real one (a JPEG costs more to decode). */
#include "cam_json.h"
#include "cli.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH, RUNS, PHOTO, JSON }; /* rows of its options in server/main.c */
enum { MADE_WIDTH = 500, MADE_HEIGHT = 436, BMP_HEADER = 54, WARM_UP = 3, TOTAL = CAM_STAGE_COUNT, SERIES };

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

/* ---- the made photo: a 24-bit BMP of soft waves with a little noise, as compressible as a photo ---- */

static void put_le32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static cam_code make_photo(cam_bytes *out, cam_error *error) {
  enum { ROW = MADE_WIDTH * 3, SIZE = BMP_HEADER + ROW * MADE_HEIGHT };
  _Static_assert(ROW % 4 == 0, "rows of a BMP are padded to four bytes");
  uint8_t *bmp = calloc(1, SIZE);
  if (!bmp) return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a photo of %d bytes", SIZE);
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
} bench;

static cam_code run_pipeline(bench *b, int run, cam_error *error) {
  cam_params params = cam_default_params;
  cam_task tasks[CAM_MAX_TASKS];
  double stage_ms[CAM_STAGE_COUNT] = {0};
  params.base64 = true; /* as POST /cam has it */
  for (int i = 0; i < b->batch; i++) tasks[i] = (cam_task){.bytes = b->photo.data, .n_bytes = b->photo.size, .params = &params};
  double begin = now_ms();
  cam_explain(b->context, tasks, b->batch, 0, stage_ms);
  double total = now_ms() - begin;
  for (int i = 0; i < b->batch; i++) {
    if (tasks[i].error.code) *error = tasks[i].error;
    else b->shape = tasks[i].result;
    cam_result_free(&tasks[i].result);
  }
  for (int stage = 0; stage < CAM_STAGE_COUNT && run >= 0; stage++) b->ms[stage * b->runs + run] = stage_ms[stage];
  if (run >= 0) b->ms[TOTAL * b->runs + run] = total;
  return error->code;
}

static cam_code measure(bench *b, cam_error *error) {
  double warm_up[WARM_UP];
  cam_code code = cam_bench_forward(b->context, b->batch, WARM_UP, warm_up, error);
  if (!code) code = cam_bench_forward(b->context, b->batch, b->runs, b->forward_ms, error);
  for (int run = -WARM_UP; run < b->runs && !code; run++) code = run_pipeline(b, run, error);
  return code;
}

/* ---- telling ---- */

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static const struct { const char *name; double share; } quantiles[] = {{"min", 0}, {"p50", 0.50}, {"p99", 0.99}};
enum { QUANTILES = sizeof quantiles / sizeof *quantiles };

/* By nearest rank; sorts the series. */
static void summarise(double *series, int n, double out[QUANTILES]) {
  qsort(series, (size_t)n, sizeof *series, compare);
  for (int i = 0; i < QUANTILES; i++) {
    int rank = (int)ceil(quantiles[i].share * n);
    out[i] = series[rank > 0 ? rank - 1 : 0];
  }
}

static const char *series_name(int series) { return series == TOTAL ? "total" : cam_stage_name((cam_stage)series); }

static void print_line(const char *indent, const char *name, double *series, int n) {
  double values[QUANTILES];
  summarise(series, n, values);
  printf("%s%-*s", indent, 12 - (int)strlen(indent), name);
  for (int i = 0; i < QUANTILES; i++) printf("%10.3f", values[i]);
}

static void print_people(const bench *b, const cam_model_info *info) {
  printf("%s, kernels %s, %d thread%s, %d photo%s at a time, %d runs; milliseconds\n%12s", info->name, info->isa, b->threads, b->threads == 1 ? "" : "s", b->batch,
         b->batch == 1 ? "" : "s", b->runs, "");
  for (int i = 0; i < QUANTILES; i++) printf("%10s", quantiles[i].name);
  printf("\n");
  print_line("", "forward", b->forward_ms, b->runs);
  printf("   made picture, %dx%d\n", info->width, info->height);
  print_line("", "explain", b->ms + TOTAL * b->runs, b->runs);
  printf("   %dx%d %s seen as %dx%d, %d overlays\n", b->shape.width, b->shape.height, cam_format_name(b->shape.format), b->shape.input_width, b->shape.input_height,
         b->shape.count);
  for (int stage = 0; stage < CAM_STAGE_COUNT; stage++) {
    print_line("  ", series_name(stage), b->ms + stage * b->runs, b->runs);
    printf("\n");
  }
}

static void add_series(json *parent, const char *name, double *series, int n) {
  double values[QUANTILES];
  summarise(series, n, values);
  json *object = json_add_object(parent, name);
  for (int i = 0; i < QUANTILES; i++) json_add_fixed(object, quantiles[i].name, values[i], 4);
}

static bool print_as_json(const bench *b, const cam_model_info *info) {
  json *tree = json_new_object();
  json_add_text(tree, "model", info->name);
  json_add_text(tree, "isa", info->isa);
  json_add_int(tree, "threads", b->threads);
  json_add_int(tree, "batch", b->batch);
  json_add_int(tree, "runs", b->runs);
  json *photo = json_add_object(tree, "photo");
  json_add_int(photo, "width", b->shape.width);
  json_add_int(photo, "height", b->shape.height);
  json_add_text(photo, "format", cam_format_name(b->shape.format));
  add_series(tree, "forward_ms", b->forward_ms, b->runs);
  json *pipeline = json_add_object(tree, "pipeline_ms");
  for (int i = 0; i < SERIES; i++) add_series(pipeline, series_name(i), b->ms + i * b->runs, b->runs);
  char *text = json_print(tree, true, NULL);
  bool printed = text && puts(text) != EOF;
  free(text);
  json_free(tree);
  return printed;
}

int cli_bench(const cli *arguments) {
  bench b = {.threads = 0};
  cam_model *model = NULL;
  cam_error error = {0};
  cam_limits limits = cli_limits(&arguments->config);
  const char *photo = arguments->options[PHOTO];
  int exit_code = EXIT_DONE;
  if (cli_number(arguments, BATCH, 1, CAM_MAX_TASKS, 1, &b.batch, &error) || cli_number(arguments, RUNS, 1, 100000, 50, &b.runs, &error) ||
      cli_load(&arguments->config, &model, &error) || cam_context_create(model, b.threads = cli_threads(&arguments->config), &limits, &b.context, &error) ||
      (photo ? cli_read(photo, (size_t)arguments->config.max_body_bytes, &b.photo, &error) : make_photo(&b.photo, &error))) {
    exit_code = cli_fail(NULL, &error);
  } else {
    b.forward_ms = calloc((size_t)b.runs, sizeof *b.forward_ms);
    b.ms = calloc((size_t)b.runs * SERIES, sizeof *b.ms);
    if (!b.forward_ms || !b.ms) cam_fail(&error, CAM_E_NO_MEMORY, "no memory for %d runs", b.runs);
    else measure(&b, &error);
    if (error.code) exit_code = cli_fail(photo, &error);
    else if (!arguments->options[JSON]) print_people(&b, cam_model_get_info(model));
    else if (!print_as_json(&b, cam_model_get_info(model))) exit_code = EXIT_FAILED;
  }
  free(b.ms);
  free(b.forward_ms);
  free(b.photo.data);
  cam_context_free(b.context);
  cam_model_free(model);
  return exit_code;
}
