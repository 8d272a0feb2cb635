/* test_detail.c - detail=fine: sides of its inputs, which networks have any, and the deadline
 * between its passes. */
#include "context.h"
#include "fine.h"
#include "made_model.h"
#include "model/detail.h"
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

START_TEST(sides) {
  static const struct {
    int side, multiple, max_side, expected[DETAIL_PASSES];
  } cases[] = {
      {224, 32, 640, {224, 320, 448}},      {224, 32, 400, {224, 320, 400}},
      {224, 32, 224, {224, 224, 224}},      {224, 224, 224, {224, 224, 224}},
      {112, 64, 640, {112, 192, 256}}, /* 160 and 224: ties */
      {100, 1, 640, {100, 143, 200}},       {100, 640, 640, {100, 100, 100}},
      {299, 32, 640, {299, 416, 608}},      {4096, 4096, 4096, {4096, 4096, 4096}},
      {2000, 32, 4096, {2000, 2848, 4000}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const cam_graph graph = {.multiple = cases[i].multiple, .max_side = cases[i].max_side};
    for (int pass = 0; pass < DETAIL_PASSES; pass++)
      ck_assert_int_eq(detail_side(&graph, cases[i].side, pass), cases[i].expected[pass]);
  }
}
END_TEST

#define PLAIN \
  "{\"name\":\"x\",\"op\":\"conv\",\"inputs\":[\"input\"],\"weight\":\"w\"}," \
  "{\"name\":\"gap\",\"op\":\"gap\",\"inputs\":[\"x\"]},{\"name\":\"fc\",\"op\":\"fc\"," \
  "\"inputs\":[\"gap\"],\"weight\":\"fc\"}"
#define SMALL "w:1x1x3x8 fc:3x8"

static cam_model *load(const char *tensors, int side, int max_side) {
  const made_model made = {PLAIN, tensors, 3, side, side, max_side, NULL};
  cam_model *model;
  cam_error error = {0};
  const char *path = made_model_write(&made);
  ck_assert_msg(!cam_model_load(path, NULL, &model, &error), "%s", error.detail);
  unlink(path);
  return model;
}

START_TEST(networks) {
  static const struct {
    const char *tensors;
    int side, max_side;
    bool fine;
  } cases[] = {{SMALL, 8, 16, true},
               {SMALL, 8, 12, true},
               {SMALL, 8, 8, false},
               {SMALL, 9, 11, true},
               {SMALL, 2048, 4096, true},
               {"w:1x1x3x64 fc:3x64", 2048, 2048, false},
               {"w:1x1x3x32 fc:3x32", 2048, 4096, false}}; /* a plane of 2^29 values */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cam_model *model = load(cases[i].tensors, cases[i].side, cases[i].max_side);
    ck_assert_msg(cam_model_get_info(model)->fine == cases[i].fine, "case %zu", i);
    ck_assert_uint_eq(model->map_cells[CAM_NORMAL],
                      (uint64_t)cases[i].side * (uint64_t)cases[i].max_side);
    if (cases[i].fine) /* its convolution keeps the size; the short side is doubled, or the most */
      ck_assert_uint_eq(model->map_cells[CAM_FINE],
                        (uint64_t)cases[i].max_side * (uint64_t)cases[i].max_side);
    cam_model_free(model);
  }
}
END_TEST

/* What the way of a photo needs of the usual pass. */
static cam_code refine(cam_context *context, double deadline, map_set *maps, cam_error *error) {
  static uint8_t rgb[3 * 8 * 8] = {1, 200, 3, 90};
  static const int class_ids[] = {2, 0};
  const cam_image photo = {.width = 8, .height = 8, .rgb = rgb};
  const cam_result sizes = {.width = 8, .height = 8, .resize = CAM_STRETCH};
  float logits[3];
  ck_assert(!pass_run(context->model, context->forward, &photo, logits, error));
  ck_assert(!pass_maps(context->forward, 2, class_ids, maps, error));
  return fine_maps(context, &photo, &sizes, deadline, class_ids, maps, error);
}

START_TEST(no_pass_begins_after_the_deadline) {
  cam_model *model = load(SMALL, 8, 16);
  cam_context *context;
  cam_error error = {0};
  map_set maps;
  ck_assert(!cam_context_create(model, 2, &cam_default_limits, &context, &error));
  ck_assert(context->fine_bytes > 16 * 16 * 8 * sizeof(float));
  ck_assert_msg(!refine(context, 0, &maps, &error), "%s", error.detail);
  ck_assert(maps.n == 2 && maps.height == 16 && maps.width == 16);
  free(maps.values);
  ck_assert_int_eq(refine(context, 1e-3, &maps, &error), CAM_E_DEADLINE);
  ck_assert_str_eq(error.detail, "the deadline passed before pass 2 of 3");
  free(maps.values);
  cam_context_free(context);
  cam_model_free(model);
}
END_TEST

START_TEST(a_network_of_one_size_is_told_so) {
  cam_model *model = load(SMALL, 8, 8);
  cam_context *context;
  cam_error error = {0};
  map_set maps;
  ck_assert(!cam_context_create(model, 1, &cam_default_limits, &context, &error));
  ck_assert_uint_eq(context->fine_bytes, 0);
  ck_assert_int_eq(refine(context, 0, &maps, &error), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, "detail: fine; made takes no other input than 8 x 8");
  free(maps.values);
  cam_context_free(context);
  cam_model_free(model);
}
END_TEST

Suite *detail_suite(void);
Suite *detail_suite(void) {
  Suite *suite = suite_create("detail");
  TCase *tcase = tcase_create("detail");
  tcase_add_test(tcase, sides);
  tcase_add_test(tcase, networks);
  tcase_add_test(tcase, no_pass_begins_after_the_deadline);
  tcase_add_test(tcase, a_network_of_one_size_is_told_so);
  suite_add_tcase(suite, tcase);
  return suite;
}
