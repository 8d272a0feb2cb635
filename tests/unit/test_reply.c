/* test_reply.c - the JSON of POST /cam to the letter: order of members, digits, what is absent when
 * not included; the list whole and in pieces. */
#include "wire/reply.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cam_class classes[] = {{"", "tench, Tinca tinca"}, {"n1", "a \"quoted\" label"}};
static const cam_model_info model = {.name = "tiny", .classes = 2, .class_list = classes};
static const cam_model_info not_linear = {
    .name = "tiny", .classes = 2, .class_list = classes, .method = CAM_METHOD_HIRESCAM};
static const reply_timing timing = {
    .queue_ms = 0.12345, .total_ms = 16.2, .stage_ms = {3.2, 0.6, 9.7004, 0, 2}};
static float map[] = {0.1f, -1e-7f, 3, INFINITY};
static char picture[] = "\x89PNG", heat[] = "\x89PN\x85\xe6\xad";

#define TIMING \
  "\"timing_ms\":{\"queue\":0.123,\"decode\":3.200,\"resize\":0.600,\"forward\":9.700,\"cam\":0." \
  "000,\"render\":2.000,\"total\":16.200}"
#define PHOTO \
  "\"image\":{\"width\":500,\"height\":375,\"format\":\"jpeg\",\"orientation\":6},\"input\":{" \
  "\"width\":288,\"height\":224,\"resize\":\"aspect\"},\"predictions\":["
#define LABEL \
  "{\"rank\":1,\"class_id\":1,\"wnid\":\"n1\",\"label\":\"a \\\"quoted\\\" " \
  "label\",\"probability\":0.931213021,\"logit\":11.2731857,\"method\":\"cam\"," \
  "\"box\":{\"x\":31,\"y\":12,\"width\":420,\"height\":350}"
#define MAP \
  ",\"bias\":0.0122999996,\"map\":{\"width\":2,\"height\":2,\"values\":[0.100000001,-1.00000001e-" \
  "07,3,0]}"
#define ERROR \
  "{\"error\":{\"type\":\"about:blank\",\"title\":\"Unsupported Media " \
  "Type\",\"status\":415,\"detail\":\"GIF\"," \
  "\"code\":\"unsupported_format\",\"request_id\":\"r\",\"stage\":\"decode\"}}"

static cam_task make_task(const cam_params *params) {
  cam_task task = {.params = params};
  task.result = (cam_result){.width = 500,
                             .height = 375,
                             .format = CAM_JPEG,
                             .orientation = 6,
                             .input_width = 288,
                             .input_height = 224,
                             .resize = CAM_ASPECT,
                             .map_width = 2,
                             .map_height = 2,
                             .count = 1,
                             .maps = map};
  task.result.predictions[0] = (cam_prediction){1,
                                                1,
                                                0.931213021f,
                                                11.2731857f,
                                                0.0123f,
                                                map,
                                                {31, 12, 420, 350},
                                                {(uint8_t *)picture, strlen(picture)},
                                                {(uint8_t *)heat, strlen(heat)}};
  return task;
}

static void check_single_as(cam_picture form, unsigned include, const char *expected) {
  cam_params params = {.include = include, .picture = form};
  cam_task task = make_task(&params);
  size_t n = 0;
  char *text = reply_text(&model, "r", &task, 1, false, &timing, true, &n);
  ck_assert_str_eq(text, expected);
  ck_assert_uint_eq(n, strlen(expected));
  free(text);
}

static void check_single(unsigned include, const char *expected) {
  check_single_as(CAM_PICTURE_PNG, include, expected);
}

START_TEST(single) {
#define SINGLE(more) "{\"request_id\":\"r\",\"model\":\"tiny\"," PHOTO LABEL more "}]," TIMING "}"
  check_single(0, SINGLE(""));
  check_single(CAM_INCLUDE_OVERLAY, SINGLE(",\"overlay_png\":\"iVBORw==\""));
  check_single(CAM_INCLUDE_HEATMAP, SINGLE(",\"heatmap_png\":\"iVBOheat\""));
  check_single(CAM_INCLUDE_MAP, SINGLE(MAP));
  check_single(CAM_INCLUDE_OVERLAY | CAM_INCLUDE_HEATMAP | CAM_INCLUDE_MAP,
               SINGLE(",\"overlay_png\":\"iVBORw==\",\"heatmap_png\":\"iVBOheat\"" MAP));
  check_single_as(CAM_PICTURE_JPEG, CAM_INCLUDE_OVERLAY | CAM_INCLUDE_HEATMAP,
                  SINGLE(",\"overlay_jpeg\":\"iVBORw==\",\"heatmap_jpeg\":\"iVBOheat\""));
}
END_TEST

/* The method says that no sum is promised, so there is no bias. A class without WordNet id has no
 * member for it. */
START_TEST(what_a_model_has_not_is_absent) {
  cam_params params = {.include = CAM_INCLUDE_MAP};
  cam_task task = make_task(&params);
  task.result.predictions[0].class_id = 0;
  char *text = reply_text(&not_linear, "r", &task, 1, false, &timing, true, NULL);
  ck_assert_ptr_nonnull(strstr(text, "\"class_id\":0,\"label\":\"tench, Tinca tinca\","));
  ck_assert_ptr_nonnull(strstr(text, "\"logit\":11.2731857,\"method\":\"hirescam\",\"box\""));
  ck_assert_ptr_nonnull(strstr(text, "\"height\":350},\"map\":{\"width\":2"));
  ck_assert_ptr_null(strstr(text, "bias"));
  free(text);
}
END_TEST

START_TEST(no_box_is_null) {
  cam_params params = {0};
  cam_task task = make_task(&params);
  task.result.predictions[0].box = (cam_box){0};
  char *text = reply_text(&model, "r", &task, 1, false, &timing, true, NULL);
  ck_assert_ptr_nonnull(strstr(text, "\"logit\":11.2731857,\"method\":\"cam\",\"box\":null}]"));
  free(text);
}
END_TEST

START_TEST(probabilities_of_all_classes) {
  cam_params params = {.include = CAM_INCLUDE_PROBABILITIES};
  cam_task task = make_task(&params);
  float all[] = {0.0687869787f, 0.931213021f};
  task.result.probabilities = all;
  char *text = reply_text(&model, "r", &task, 1, false, &timing, true, NULL);
  ck_assert_ptr_nonnull(
      strstr(text, "}],\"probabilities\":[0.0687869787,0.931213021],\"timing_ms\""));
  free(text);
}
END_TEST

START_TEST(no_bias_of_an_average) {
  cam_params params = {.include = CAM_INCLUDE_MAP, .detail = CAM_FINE};
  cam_task task = make_task(&params);
  char *text = reply_text(&model, "r", &task, 1, false, &timing, true, NULL);
  ck_assert_ptr_nonnull(strstr(text, "\"height\":350},\"map\":{\"width\":2,"));
  free(text);
}
END_TEST

START_TEST(minus_is_named) {
  cam_params params = {.has_minus = true, .minus = 0};
  cam_task task = make_task(&params);
  char *text = reply_text(&model, "r", &task, 1, false, &timing, true, NULL);
  ck_assert_ptr_nonnull(strstr(text, "\"resize\":\"aspect\"},\"minus\":{\"class_id\":0,\"label\":"
                                     "\"tench, Tinca tinca\"},\"predictions\":[{\"rank\":1,"));
  free(text);
}
END_TEST

START_TEST(list_whole_and_in_pieces) {
  cam_params params = {.include = CAM_INCLUDE_OVERLAY};
  cam_task tasks[] = {make_task(&params), {.params = &params}};
  cam_fail(&tasks[1].error, CAM_E_FORMAT, "GIF");
  tasks[1].error.stage = "decode";
  char *whole = reply_text(&model, "r", tasks, 2, true, &timing, true, NULL);
  ck_assert_str_eq(whole, "{\"request_id\":\"r\",\"model\":\"tiny\",\"results\":[{" PHOTO LABEL
                          ",\"overlay_png\":\"iVBORw==\"}]}," ERROR "]," TIMING "}");

  char *pieces = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&pieces, &n);
  ck_assert(reply_list_head(out, &model, "r"));
  for (int i = 0; i < 2; i++) {
    char *item = reply_item_text(&model, NULL, "r", &tasks[i], NULL, NULL);
    fprintf(out, "%s%s", i ? "," : "", item);
    free(item);
  }
  ck_assert(reply_list_tail(out, &timing));
  fclose(out);
  ck_assert_str_eq(pieces, whole);
  free(pieces);
  free(whole);
}
END_TEST

START_TEST(indented_for_people) {
  cam_params params = {0};
  cam_task task = make_task(&params);
  char *text = reply_text(&model, "r", &task, 1, false, &timing, false, NULL);
  ck_assert_ptr_nonnull(strstr(text, "{\n\t\"request_id\":\t\"r\",\n"));
  free(text);
}
END_TEST

Suite *reply_suite(void);
Suite *reply_suite(void) {
  Suite *suite = suite_create("reply");
  TCase *tcase = tcase_create("reply");
  tcase_add_test(tcase, single);
  tcase_add_test(tcase, what_a_model_has_not_is_absent);
  tcase_add_test(tcase, no_box_is_null);
  tcase_add_test(tcase, probabilities_of_all_classes);
  tcase_add_test(tcase, no_bias_of_an_average);
  tcase_add_test(tcase, minus_is_named);
  tcase_add_test(tcase, list_whole_and_in_pieces);
  tcase_add_test(tcase, indented_for_people);
  suite_add_tcase(suite, tcase);
  return suite;
}
