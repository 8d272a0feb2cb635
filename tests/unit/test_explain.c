/* test_explain.c - what cam_explain promises whatever the model: finite maps or an error, and no
 * stage after the deadline. */
#include "cam_engine.h"
#include "made_model.h"
#include <check.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 16, HEADER = 54 };

/* A BMP of SIDE x SIDE, of the level that the network sees as 0, with one white pixel
 * in its middle. */
static const uint8_t *spot(void) {
  static uint8_t bmp[HEADER + 3 * SIDE * SIDE] = {
      'B', 'M', [10] = HEADER, [14] = 40, [18] = SIDE, [22] = SIDE, [26] = 1, [28] = 24};
  const uint32_t size = sizeof bmp;
  memcpy(bmp + 2, &size, sizeof size);
  memset(bmp + HEADER, 127, sizeof bmp - HEADER);
  memset(bmp + HEADER + 3 * (SIDE * SIDE + SIDE) / 2, 255, 3);
  return bmp;
}

/* A network of one 1x1 convolution. */
static made_model network_of(const char *tensors) {
  return (made_model){"{\"name\":\"c\",\"op\":\"conv\",\"inputs\":[\"input\"],\"weight\":"
                      "\"w\"},{\"name\":\"x\",\"op\":\"relu\",\"inputs\":[\"c\"]},"
                      "{\"name\":\"gap\",\"op\":\"gap\",\"inputs\":[\"x\"]},{\"name\":\"fc\","
                      "\"op\":\"fc\",\"inputs\":[\"gap\"],\"weight\":\"fc\"}",
                      tensors,
                      3,
                      SIDE,
                      SIDE,
                      SIDE,
                      NULL};
}

/* Explains n spots. */
static void explain_by(const made_model *made, int threads, const cam_params *params,
                       cam_task *tasks, int n, double deadline, double *stage_ms) {
  cam_model *model;
  cam_context *context;
  cam_error error = {0};
  const char *path = made_model_write(made);
  ck_assert_msg(!cam_model_load(path, NULL, &model, &error), "%s", error.detail);
  unlink(path);
  ck_assert_msg(!cam_context_create(model, threads, &cam_default_limits, &context, &error), "%s",
                error.detail);
  for (int i = 0; i < n; i++)
    tasks[i] = (cam_task){.bytes = spot(), .n_bytes = HEADER + 3 * SIDE * SIDE, .params = params};
  cam_explain(context, tasks, n, deadline, stage_ms);
  cam_context_free(context);
  cam_model_free(model);
}

static void explain_with(int threads, const char *tensors, cam_task *tasks, int n, double deadline,
                         double *stage_ms) {
  const made_model made = network_of(tensors);
  explain_by(&made, threads, &cam_default_params, tasks, n, deadline, stage_ms);
}

static void explain(const char *tensors, cam_task *tasks, int n, double deadline,
                    double *stage_ms) {
  explain_with(1, tensors, tasks, n, deadline, stage_ms);
}

/* One photo by the whole team; several, each by a thread alone. */
START_TEST(threads_and_neighbours_change_nothing) {
  cam_task alone, tasks[CAM_MAX_TASKS];
  double stage_ms[CAM_STAGE_COUNT];
  explain("w:1x1x3x8 fc:3x8", &alone, 1, 0, NULL);
  for (int threads = 1; threads <= 3; threads++)
    for (int n = 1; n <= CAM_MAX_TASKS; n += threads) {
      explain_with(threads, "w:1x1x3x8 fc:3x8", tasks, n, 0, stage_ms);
      for (int s = 0; s < CAM_STAGE_COUNT; s++)
        ck_assert(stage_ms[s] > 0);
      for (int i = 0; i < n; i++) {
        const cam_prediction *a = &alone.result.predictions[2],
                             *b = &tasks[i].result.predictions[2];
        ck_assert_int_eq(tasks[i].error.code, CAM_OK);
        ck_assert_mem_eq(alone.result.maps, tasks[i].result.maps, 3 * SIDE * SIDE * sizeof(float));
        ck_assert(a->class_id == b->class_id && a->logit == b->logit &&
                  a->overlay.size == b->overlay.size);
        ck_assert_mem_eq(a->overlay.data, b->overlay.data, a->overlay.size);
        cam_result_free(&tasks[i].result);
      }
    }
  cam_result_free(&alone.result);
}
END_TEST

START_TEST(map_that_overflows_is_an_error) { /* its mean, the logit, does not overflow */
  cam_task task;
  explain("w:1x1x3x8 fc:3x8", &task, 1, 0, NULL);
  ck_assert_msg(!task.error.code, "%s", task.error.detail);
  ck_assert_int_eq(task.result.count, 3);
  cam_result_free(&task.result);
  made_model made = network_of("w:1x1x3x8*1e36 fc:3x8*1e4");
  made.max_side = 2 * SIDE;
  cam_params params[] = {cam_default_params, cam_default_params, cam_default_params};
  params[1].has_minus = true;
  params[2].detail = CAM_FINE;
  for (int i = 0; i < 3; i++) {
    explain_by(&made, 1, &params[i], &task, 1, 0, NULL);
    ck_assert_int_eq(task.error.code, CAM_E_MODEL);
    ck_assert_str_eq(task.error.stage, "cam");
    ck_assert_ptr_nonnull(strstr(task.error.detail, "is not finite"));
    cam_result_free(&task.result);
  }
}
END_TEST

/* The spot is less steep in the larger inputs of detail=fine, whose maps may then be finite where
 * the first is not. */
START_TEST(one_map_that_overflows_is_enough) {
  cam_params fine = cam_default_params;
  cam_task task;
  fine.detail = CAM_FINE;
  cam_code code = CAM_OK;
  for (double scale = 1e33; !code; scale *= 1.1) {
    char tensors[64];
    snprintf(tensors, sizeof tensors, "w:1x1x3x8*%g fc:3x8*1e4", scale);
    made_model made = network_of(tensors);
    made.max_side = 2 * SIDE;
    explain_by(&made, 1, &cam_default_params, &task, 1, 0, NULL);
    code = task.error.code;
    cam_result_free(&task.result);
    if (!code)
      continue;
    ck_assert_int_eq(code, CAM_E_MODEL);
    explain_by(&made, 1, &fine, &task, 1, 0, NULL);
    ck_assert_int_eq(task.error.code, CAM_E_MODEL);
    cam_result_free(&task.result);
  }
}
END_TEST

START_TEST(no_stage_begins_after_the_deadline) {
  cam_task tasks[2];
  double stage_ms[CAM_STAGE_COUNT];
  explain("w:1x1x3x8 fc:3x8", tasks, 2, 1e-3, stage_ms);
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(tasks[i].error.code, CAM_E_DEADLINE);
    ck_assert_str_eq(tasks[i].error.stage, "decode");
    ck_assert_int_eq(tasks[i].result.width, 0);
    cam_result_free(&tasks[i].result);
  }
}
END_TEST

/* Probabilities of their own do not add up; the order is that of the logits either way. */
START_TEST(sigmoids_are_independent) {
  cam_task shared, own;
  made_model made = network_of("w:1x1x3x8*20 fc:3x8*20");
  explain_by(&made, 1, &cam_default_params, &shared, 1, 0, NULL);
  made.extra = "\"probability\":\"sigmoid\",";
  explain_by(&made, 1, &cam_default_params, &own, 1, 0, NULL);
  float sum = 0;
  for (int i = 0; i < 3; i++) {
    const cam_prediction *a = &shared.result.predictions[i], *b = &own.result.predictions[i];
    ck_assert(a->class_id == b->class_id && a->logit == b->logit && b->rank == i + 1);
    ck_assert_float_eq_tol(b->probability, 1 / (1 + expf(-b->logit)), 1e-6f);
    sum += a->probability;
  }
  ck_assert_float_eq_tol(sum, 1, 1e-6f);
  ck_assert(own.result.predictions[0].logit > 0.1f);
  cam_result_free(&shared.result);
  cam_result_free(&own.result);
}
END_TEST

START_TEST(one_size_is_no_other) {
  cam_params params = cam_default_params;
  cam_task task;
  made_model made = network_of("w:1x1x3x8 fc:3x8");
  made.max_side = 0;
  params.resize = CAM_ASPECT;
  explain_by(&made, 1, &params, &task, 1, 0, NULL);
  ck_assert_int_eq(task.error.code, CAM_E_PARAMETER);
  ck_assert_str_eq(
      task.error.detail,
      "resize: made takes 16 x 16 alone, so \"aspect\" is not possible; \"stretch\" is");
  params.resize = CAM_STRETCH;
  explain_by(&made, 1, &params, &task, 1, 0, NULL);
  ck_assert_msg(!task.error.code, "%s", task.error.detail);
  cam_result_free(&task.result);
}
END_TEST

Suite *explain_suite(void);
Suite *explain_suite(void) {
  Suite *suite = suite_create("explain");
  TCase *tcase = tcase_create("promises");
  tcase_add_test(tcase, threads_and_neighbours_change_nothing);
  tcase_add_test(tcase, map_that_overflows_is_an_error);
  tcase_add_test(tcase, one_map_that_overflows_is_enough);
  tcase_add_test(tcase, no_stage_begins_after_the_deadline);
  tcase_add_test(tcase, sigmoids_are_independent);
  tcase_add_test(tcase, one_size_is_no_other);
  suite_add_tcase(suite, tcase);
  return suite;
}
