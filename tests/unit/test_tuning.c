/* test_tuning.c - what training asks of photos, kept or not, mirrored or not, against the graph's
 * own reference; a head that is at its minimum; batches; checkpoints that are whole or refused. */
#include "made_model.h"
#include "model/pixels.h"
#include "network/cut.h"
#include "network/reference.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/head_fit.h"
#include "train/logits.h"
#include "train/photo_input.h"
#include "train/trainer.h"
#include <check.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PHOTOS = 12, SIDE = 16, CLASSES = 3, FEATURES = 20, HEADER = 54 };
static const char run_name[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const made_model made_network = {
    "{\"name\":\"a\",\"op\":\"conv\",\"inputs\":[\"input\"],\"weight\":\"w\",\"bias\":\"b\","
    "\"padding\":\"same\",\"stride\":[2,2]},{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[\"a\"]},"
    "{\"name\":\"c\",\"op\":\"conv\",\"inputs\":[\"r\"],\"weight\":\"v\",\"padding\":\"same\"},"
    "{\"name\":\"x\",\"op\":\"relu6\",\"inputs\":[\"c\"]},"
    "{\"name\":\"gap\",\"op\":\"gap\",\"inputs\":[\"x\"]},"
    "{\"name\":\"fc\",\"op\":\"fc\",\"inputs\":[\"gap\"],\"weight\":\"fc\",\"bias\":\"fcb\"}",
    "w:3x3x3x10 b:10 v:3x3x10x20*3 fc:3x20*5 fcb:3",
    CLASSES,
    SIDE,
    SIDE,
    2 * SIDE,
    NULL};

static cam_error error;
static cam_graph *graph;
static cam_team *team;
static cam_tune_sample list[PHOTOS];
static cam_tune_options options;
static int reads;

/* ---- photos ---- */

/* A BMP; every third is wider than high. */
static int width_of(int sample) { return sample % 3 ? SIDE : 2 * SIDE; }

static cam_code read_made(void *closure, int sample, cam_bytes *out, cam_error *why) {
  const int width = width_of(sample);
  const uint32_t n = HEADER + 3 * (uint32_t)width * SIDE;
  uint8_t *bmp = calloc(1, n);
  (void)closure;
  (void)why;
  __atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
  memcpy(bmp, "BM", 2);
  memcpy(bmp + 2, &n, 4);
  bmp[10] = HEADER;
  bmp[14] = 40;
  bmp[18] = (uint8_t)width;
  bmp[22] = SIDE;
  bmp[26] = 1;
  bmp[28] = 24;
  for (uint32_t i = HEADER; i < n; i++)
    bmp[i] = (uint8_t)(i * (7 + 13 * (uint32_t)sample) >> 3);
  *out = (cam_bytes){bmp, n};
  return CAM_OK;
}
/* Once it was asked so often. */
static int stops_after;
static bool stop_then(void *closure) {
  (void)closure;
  return __atomic_sub_fetch(&stops_after, 1, __ATOMIC_RELAXED) < 0;
}
static const cam_tune_calls calls = {.read = read_made, .stop = stop_then};
static const train_end its_end = {.calls = &calls};

static void begin(void) {
  const char *path = made_model_write(&made_network);
  ck_assert_msg(!graph_load(path, &graph, &error), "%s", error.detail);
  unlink(path);
  ck_assert_int_eq(team_create(2, &team, &error), CAM_OK);
  memset(list, 0, sizeof list);
  for (int i = 0; i < PHOTOS; i++)
    list[i].class_id = i % 4 / 2 + (i == 11);
  options = cam_default_tune;
  options.flip = true;
  options.resize = CAM_ASPECT;
  reads = 0;
  stops_after = INT_MAX;
}
static void end(void) {
  team_free(team);
  graph_free(graph);
}

static samples *make_all(size_t memory) {
  samples *made;
  options.memory = memory;
  const samples_plan plan = {.graph = graph,
                             .options = &options,
                             .calls = &calls,
                             .list = list,
                             .n = PHOTOS,
                             .features_node = graph->n_nodes - 2,
                             .plane_node = cut_at_last_size(graph),
                             .pictures = true};
  ck_assert_msg(!samples_create(&plan, team, &made, &error), "%s", error.detail);
  ck_assert_int_eq(samples_look(made, true, &error), CAM_OK);
  for (int i = 0; i < PHOTOS; i++)
    ck_assert_msg(!list[i].error.code, "%s", list[i].error.detail);
  return made;
}

/* ---- what is asked of photos ---- */

/* The picture of a view, as the network sees it. */
static void see(int sample, bool mirrored, float *out, int shape[2]) {
  cam_bytes bytes;
  cam_image picture;
  ck_assert(!read_made(NULL, sample, &bytes, NULL));
  ck_assert(!photo_input(graph, &cam_default_limits, CAM_ASPECT, bytes.data, bytes.size, &picture,
                         NULL, &error));
  if (mirrored)
    photo_input_mirror(&picture);
  shape[0] = picture.height;
  shape[1] = picture.width;
  pixels_normalize(graph, picture.rgb, (size_t)picture.height * (size_t)picture.width, out);
  free(bytes.data);
  image_free(&picture);
}

static void check_view(samples *made, int sample, bool mirrored) {
  static float picture[3 * 2 * SIDE * SIDE], seen[3 * 2 * SIDE * SIDE], features[FEATURES],
      plane[SIDE * SIDE * FEATURES], expected[SIDE * SIDE * FEATURES];
  static double logits[CLASSES], last[SIDE * SIDE * FEATURES];
  const sample_view view = {sample, mirrored};
  float *const to_picture[] = {picture}, *const to_features[] = {features},
               *const to_plane[] = {plane}, *const to_expected[] = {expected};
  const float *const from[] = {seen};
  int shape[2];
  see(sample, mirrored, seen, shape);
  ck_assert_int_eq(shape[1], width_of(sample));
  ck_assert(!samples_get(made, SAMPLE_PICTURE, 1, &view, to_picture, &error));
  ck_assert_mem_eq(picture, seen, 3 * (size_t)shape[0] * (size_t)shape[1] * sizeof(float));
  ck_assert(!samples_get(made, SAMPLE_FEATURES, 1, &view, to_features, &error));
  ck_assert(!samples_get(made, SAMPLE_PLANE, 1, &view, to_plane, &error));
  const train_batch batch = {.n = 1, .height = shape[0], .width = shape[1], .planes = from};
  ck_assert(!trainer_cut_planes(graph, cut_at_last_size(graph), team, &batch, to_expected, &error));
  const int *cells = samples_shape(made, sample, SAMPLE_PLANE);
  for (int i = 0; i < cells[0] * cells[1] * samples_channels(made, SAMPLE_PLANE); i++)
    ck_assert_float_eq_tol(plane[i], expected[i], 1e-4f);
  ck_assert(!reference_forward(graph, team, seen, shape[0], shape[1], logits, last, &error));
  for (int c = 0; c < FEATURES; c++) {
    double sum = 0;
    for (int i = 0; i < cells[0] * cells[1]; i++)
      sum += last[i * FEATURES + c];
    ck_assert_double_eq_tol((double)features[c], sum / (cells[0] * cells[1]), 1e-4);
  }
}

START_TEST(kept_or_not) {
  const size_t rooms[] = {(size_t)1 << 30, 0, 20000};
  samples *made = make_all(rooms[_i]);
  const int looked = reads;
  for (int i = 0; i < PHOTOS; i++)
    for (int mirrored = 0; mirrored < 2; mirrored++)
      check_view(made, i, mirrored);
  const int again = reads - looked - 2 * PHOTOS; /* 2: check_view's own */
  ck_assert_int_eq(looked, PHOTOS);
  ck_assert(_i ? again > 0 : again == 0);
  ck_assert(_i != 2 || again < 6 * PHOTOS);
  samples_free(made);
}
END_TEST

/* ---- the head ---- */

static head_task task_of_all(samples *made) {
  static sample_view views[PHOTOS];
  static int labels[PHOTOS];
  static double shares[PHOTOS];
  for (int i = 0; i < PHOTOS; i++) {
    views[i] = (sample_view){i, false};
    labels[i] = list[i].class_id;
    shares[i] = 1.0 / PHOTOS;
  }
  return (head_task){.from = made,
                     .n = PHOTOS,
                     .views = views,
                     .labels = labels,
                     .shares = shares,
                     .classes = CLASSES,
                     .channels = FEATURES,
                     .decay = 0.01,
                     .end = &its_end};
}

START_TEST(the_head_is_at_its_minimum) {
  samples *made = make_all(1 << 20);
  head_result best, moved;
  head_task task = task_of_all(made);
  const int *labels = task.labels;
  ck_assert(!head_fit(&task, &best, &error));
  ck_assert(best.iterations > 3 && best.weight_decay > 0);
  float logits[PHOTOS * CLASSES];
  double loss, squares = 0;
  ck_assert(!head_logits(&task, best.weight, logits, &error));
  ck_assert_double_eq_tol(logits_accuracy(logits, labels, PHOTOS, CLASSES, &loss), best.accuracy,
                          1e-12);
  ck_assert_double_eq_tol(loss, best.cross_entropy, 1e-6);
  for (int i = 0; i < CLASSES * FEATURES; i++)
    squares += (double)best.weight[i] * (double)best.weight[i];
  ck_assert_double_eq_tol(0.005 * squares, best.weight_decay, 1e-9);
  for (int i = 0; i < CLASSES * FEATURES; i += 7) { /* no way leads down from there */
    for (int way = -1; way <= 1; way += 2) {
      const float kept = best.weight[i];
      best.weight[i] += 0.02f * (float)way;
      ck_assert(!head_logits(&task, best.weight, logits, &error));
      logits_accuracy(logits, labels, PHOTOS, CLASSES, &loss);
      const double more = (double)best.weight[i] * (double)best.weight[i] -
                          (double)kept * (double)kept;
      ck_assert(loss + 0.005 * (squares + more) > best.cross_entropy + best.weight_decay);
      best.weight[i] = kept;
    }
  }
  task.start = best.weight; /* from there, and drawn there, it stays */
  ck_assert(!head_fit(&task, &moved, &error));
  ck_assert(moved.cross_entropy < best.cross_entropy && moved.weight_decay < best.weight_decay);
  free(best.weight);
  free(moved.weight);
  samples_free(made);
}
END_TEST

/* Between two iterations, and while photos are read again: what there is by then is kept, with what
 * it comes to; before the first iteration that is nothing. */
START_TEST(a_head_that_is_stopped) {
  samples *made = make_all(_i ? 0 : 1 << 20);
  const head_task task = task_of_all(made);
  float logits[PHOTOS * CLASSES];
  double loss;
  head_result early;
  stops_after = _i ? 5 * PHOTOS : 2;
  ck_assert(!head_fit(&task, &early, &error));
  stops_after = INT_MAX;
  ck_assert(early.stopped && early.iterations && early.iterations <= 3);
  ck_assert(!head_logits(&task, early.weight, logits, &error));
  ck_assert_double_eq_tol(logits_accuracy(logits, task.labels, PHOTOS, CLASSES, &loss),
                          early.accuracy, 1e-12);
  ck_assert_double_eq_tol(loss, early.cross_entropy, 1e-5);
  ck_assert(loss < log(CLASSES));
  free(early.weight);
  if (_i) {
    stops_after = PHOTOS / 2;
    ck_assert_int_eq(head_fit(&task, &early, &error), CAM_E_DEADLINE);
    stops_after = INT_MAX;
    free(early.weight);
  }
  samples_free(made);
}
END_TEST

/* ---- batches ---- */

static bool same_views(const batches *a, const batches *b, int n) {
  for (int i = 0; i < n; i++)
    if (a->views[i].sample != b->views[i].sample || a->views[i].mirrored != b->views[i].mirrored)
      return false;
  return true;
}

START_TEST(each_photo_once_and_one_shape_a_batch) {
  samples *made = make_all(0);
  int members[PHOTOS], seen[PHOTOS] = {0};
  batches all, again, next;
  for (int i = 0; i < PHOTOS; i++)
    members[i] = i;
  batch_plan plan = {.from = made,
                     .kind = SAMPLE_PICTURE,
                     .list = list,
                     .members = members,
                     .n_members = PHOTOS,
                     .size = 3,
                     .classes = CLASSES,
                     .shuffle = true,
                     .flip = true,
                     .seed = 5};
  ck_assert(!batches_make(&plan, 1, &all, &error) && !batches_make(&plan, 1, &again, &error) &&
            !batches_make(&plan, 2, &next, &error));
  for (int b = 0; b < all.n; b++) {
    ck_assert(all.begin[b + 1] - all.begin[b] >= 1 && all.begin[b + 1] - all.begin[b] <= 3);
    for (int i = all.begin[b]; i < all.begin[b + 1]; i++) {
      ck_assert_int_eq(width_of(all.views[i].sample), width_of(all.views[all.begin[b]].sample));
      seen[all.views[i].sample]++;
    }
  }
  for (int i = 0; i < PHOTOS; i++)
    ck_assert_int_eq(seen[i], 1);
  ck_assert(same_views(&all, &again, PHOTOS));
  ck_assert(!same_views(&all, &next, PHOTOS));
  batches_free(&all);
  batches_free(&again);
  batches_free(&next);
  plan.balance = true; /* classes of 6, 5 and 1: 6 of each */
  int counts[CLASSES] = {0};
  ck_assert(!batches_make(&plan, 1, &all, &error));
  for (int i = 0; i < all.begin[all.n]; i++)
    counts[list[all.views[i].sample].class_id]++;
  ck_assert(counts[0] == 6 && counts[1] == 6 && counts[2] == 6);
  batches_free(&all);
  samples_free(made);
}
END_TEST

/* ---- checkpoints ---- */

START_TEST(a_checkpoint_is_whole_or_refused) {
  char one[] = "some state", two[] = "more", path[] = "/tmp/test_tuning_XXXXXX", bytes[512],
       other[65];
  char first[sizeof one], second[sizeof two];
  const checkpoint_part out[] = {{one, sizeof one}, {two, sizeof two}},
                        in[] = {{first, sizeof first}, {second, sizeof second}};
  close(mkstemp(path));
  ck_assert(!checkpoint_write(path, run_name, out, 2, &error));
  ck_assert(!checkpoint_read(path, run_name, in, 2, &error));
  ck_assert(!strcmp(first, one) && !strcmp(second, two));
  memset(other, 'f', 64);
  other[64] = '\0';
  ck_assert_int_eq(checkpoint_read(path, other, in, 2, &error), CAM_E_MODEL);
  ck_assert_ptr_nonnull(strstr(error.detail, "of another run"));
  FILE *file = fopen(path, "rb");
  const size_t n = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  for (size_t at = 0; at <= n; at++) { /* one bit changed; cut off */
    for (int cut = 0; cut < 2; cut++) {
      file = fopen(path, "wb");
      bytes[at] ^= cut ? 0 : 4;
      fwrite(bytes, 1, cut ? at : n + (at == n), file);
      bytes[at] ^= cut ? 0 : 4;
      fclose(file);
      ck_assert(cut && at == n ? !checkpoint_read(path, run_name, in, 2, &error)
                               : checkpoint_read(path, run_name, in, 2, &error) == CAM_E_MODEL);
    }
  }
  unlink(path);
  ck_assert_int_eq(checkpoint_read(path, run_name, in, 2, &error), CAM_E_NOT_FOUND);
  ck_assert_int_eq(checkpoint_write("/nowhere/x", run_name, out, 2, &error), CAM_E_IO);
}
END_TEST

Suite *tuning_suite(void);
Suite *tuning_suite(void) {
  Suite *suite = suite_create("tuning");
  TCase *photos = tcase_create("photos");
  tcase_add_checked_fixture(photos, begin, end);
  tcase_add_loop_test(photos, kept_or_not, 0, 3);
  tcase_add_test(photos, the_head_is_at_its_minimum);
  tcase_add_loop_test(photos, a_head_that_is_stopped, 0, 2);
  tcase_add_test(photos, each_photo_once_and_one_shape_a_batch);
  suite_add_tcase(suite, photos);
  TCase *files = tcase_create("files");
  tcase_add_test(files, a_checkpoint_is_whole_or_refused);
  suite_add_tcase(suite, files);
  return suite;
}
