/* test_graph.c - model files that are wrong, one thing at a time: each is refused by name, none
 * does harm. */
#include "made_model.h"
#include "network/graph.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define C \
  "{\"name\":\"c\",\"op\":\"conv\",\"inputs\":[\"input\"],\"padding\":\"same\",\"weight\":\"w\"," \
  "\"bias\":\"b\"}"
#define END \
  ",{\"name\":\"g\",\"op\":\"gap\",\"inputs\":[\"c\"]},{\"name\":\"f\",\"op\":\"fc\",\"inputs\":[" \
  "\"g\"],\"weight\":\"fc\"}"
#define GAP ",{\"name\":\"g\",\"op\":\"gap\",\"inputs\":[\"c\"]}"
#define NODE(rest) "{\"name\":\"c\",\"inputs\":[\"input\"]," rest "}"
#define T "w:3x3x3x8 b:8 fc:2x8"

static const struct {
  const char *wrong, *nodes, *tensors, *extra;
} cases[] = {
    {"node \"c\": tensor \"w\" is not in the file", C END, "b:8 fc:2x8", NULL},
    {"node \"c\": tensor \"w\" takes 4 channels a group", C END, "w:3x3x4x8 b:8 fc:2x8", NULL},
    {"node \"c\": tensor \"w\" has rank 3", C END, "w:3x3x24 b:8 fc:2x8", NULL},
    {"node \"c\": tensor \"b\" must have 8 values", C END, "w:3x3x3x8 b:9 fc:2x8", NULL},
    {"node \"c\": tensor \"w\": kernels go up to 64 x 64", C END, "w:65x1x3x8 b:8 fc:2x8", NULL},
    {"node \"f\": tensor \"fc\" takes 9 channels, its input has 8", C END, "w:3x3x3x8 b:8 fc:2x9",
     NULL},
    {"node \"f\" gives 3 classes, the file names 2", C END, "w:3x3x3x8 b:8 fc:3x8", NULL},
    {"node \"c\": member \"op\" is \"convolve\", which is unknown", NODE("\"op\":\"convolve\"") END,
     T, NULL},
    {"node \"c\": \"relu\" has no member \"stride\"", NODE("\"op\":\"relu\",\"stride\":[1,1]") END,
     T, NULL},
    {"node \"c\": \"conv\" has no member \"colour\"",
     NODE("\"op\":\"conv\",\"weight\":\"w\",\"colour\":1") END, T, NULL},
    {"node \"c\": member \"stride\": number 2 must be whole, from 1 to 64",
     NODE("\"op\":\"conv\",\"weight\":\"w\",\"stride\":[1,0]") END, T, NULL},
    {"node \"c\": member \"padding\": number 1 must be whole, from 0 to 63",
     NODE("\"op\":\"conv\",\"weight\":\"w\",\"padding\":[-1,0,0,0]") END, T, NULL},
    {"node \"c\": padding of 3 is not smaller than its kernel of 3",
     NODE("\"op\":\"conv\",\"weight\":\"w\",\"padding\":[0,0,0,3]") END, T, NULL},
    {"node \"c\": member \"groups\" is 0",
     NODE("\"op\":\"conv\",\"weight\":\"w\",\"groups\":0") END, T, NULL},
    {"in 2 groups; its input has 3", NODE("\"op\":\"conv\",\"weight\":\"w\",\"groups\":2") END, T,
     NULL},
    {"node \"c\": member \"ceil_mode\" must be true or false",
     NODE("\"op\":\"max_pool\",\"kernel\":[2,2],\"ceil_mode\":1") END, T, NULL},
    {"node \"c\": \"max_pool\" has no member \"count_include_pad\"",
     NODE("\"op\":\"max_pool\",\"kernel\":[2,2],\"count_include_pad\":true") END, T, NULL},
    {"node \"c\": clips to at least 2 and at most 1",
     NODE("\"op\":\"clip\",\"least\":2,\"most\":1") END, T, NULL},
    {"node \"c\": member \"most\" is 1e+39", NODE("\"op\":\"clip\",\"most\":1e39") END, T, NULL},
    {"node \"c\": member \"offset\" is missing", NODE("\"op\":\"hard_sigmoid\",\"slope\":0.2") END,
     T, NULL},
    {"node \"c\": tensor \"b\" must have 3 values",
     NODE("\"op\":\"affine\",\"scale\":\"b\",\"shift\":\"b\"") END, T, NULL},
    {"node \"c\": member \"epsilon\" is 0",
     NODE("\"op\":\"layer_norm\",\"scale\":\"b\",\"shift\":\"b\",\"epsilon\":0") END, "b:3 fc:2x3",
     NULL},
    {"node \"c\": member \"channels\": number 2 must be whole, from 0 to 3",
     NODE("\"op\":\"slice\",\"channels\":[1,4]") END, T, NULL},
    {"node \"c\": channels 2 to 2 are none", NODE("\"op\":\"slice\",\"channels\":[2,2]") END, T,
     NULL},
    {"node \"c\": 3 channels are not 2 equal groups", NODE("\"op\":\"shuffle\",\"groups\":2") END,
     T, NULL},
    {"node \"c\": member \"factor\": number 1 must be whole, from 1 to 64",
     NODE("\"op\":\"resize\",\"factor\":[0,2]") END, T, NULL},
    {"node \"r1\": 36864 x 36864 x 3 values; allowed are",
     "{\"name\":\"r0\",\"op\":\"resize\",\"inputs\":[\"input\"],\"factor\":[64,64]},{"
     "\"name\":\"r1\",\"op\":\"resize\",\"inputs\":[\"r0\"],\"factor\":[64,64]},{"
     "\"name\":\"c\",\"op\":\"resize\",\"inputs\":[\"r1\"],\"factor\":[64,64]}" END,
     T, NULL},
    {"node \"m\": multiplies 8 channels by 3",
     C ",{\"name\":\"m\",\"op\":\"mul\",\"inputs\":[\"c\",\"input\"]}" END, T, NULL},
    {"node \"m\": inputs of 1 x 1 and 9 x 9 cells",
     C ",{\"name\":\"e\",\"op\":\"gap\",\"inputs\":[\"c\"]},{\"name\":\"m\",\"op\":"
       "\"mul\",\"inputs\":[\"e\",\"c\"]},{\"name\":\"g\",\"op\":\"gap\",\"inputs\":["
       "\"m\"]},{\"name\":\"f\",\"op\":\"fc\",\"inputs\":[\"g\"],\"weight\":\"fc\"}",
     T, NULL},
    {"node \"c\": input \"d\" is no earlier node (unknown, or a cycle)",
     "{\"name\":\"c\",\"op\":\"relu\",\"inputs\":[\"d\"]},{\"name\":\"d\",\"op\":\"relu\","
     "\"inputs\":[\"c\"]}" END,
     T, NULL},
    {"node \"c\": input \"c\" is no earlier node",
     "{\"name\":\"c\",\"op\":\"relu\",\"inputs\":[\"c\"]}" END, T, NULL},
    {"node \"c\": the name is taken", C "," C END, T, NULL},
    {"node \"input\": the name is taken",
     "{\"name\":\"input\",\"op\":\"relu\",\"inputs\":[\"input\"]}," C END, T, NULL},
    {"node \"d\": nothing uses its output",
     C ",{\"name\":\"d\",\"op\":\"relu\",\"inputs\":[\"c\"]}" END, T, NULL},
    {"node \"c\": 0 inputs; \"relu\" takes 1 to 1",
     "{\"name\":\"c\",\"op\":\"relu\",\"inputs\":[]}" END, T, NULL},
    {"node \"a\": adds 3 channels to 8",
     C ",{\"name\":\"a\",\"op\":\"add\",\"inputs\":[\"input\",\"c\"]}" END, T, NULL},
    {"node \"p\": a kernel of 60 x 60 does not fit 9 x 9 cells",
     C ",{\"name\":\"p\",\"op\":\"max_pool\",\"inputs\":[\"c\"],\"kernel\":[60,60]},{\"name\":"
       "\"g\",\"op\":\"gap\",\"inputs\":[\"p\"]},"
       "{\"name\":\"f\",\"op\":\"fc\",\"inputs\":[\"g\"],\"weight\":\"fc\"}",
     T, NULL},
    {"node \"p\": inputs of 9 x 9 and 5 x 5 cells",
     C ",{\"name\":\"q\",\"op\":\"max_pool\",\"inputs\":[\"c\"],\"kernel\":[2,2],\"stride\":[2,2],"
       "\"padding\":\"same\"},{\"name\":\"p\",\"op\":\"concat\",\"inputs\":[\"c\",\"q\"]},"
       "{\"name\":\"g\",\"op\":\"gap\",\"inputs\":[\"p\"]},{\"name\":\"f\",\"op\":\"fc\","
       "\"inputs\":[\"g\"],\"weight\":\"fc\"}",
     "w:3x3x3x8 b:8 fc:2x16", NULL},
    {"node \"c\": the network must end in a gap or flatten and, behind it, only",
     C ",{\"name\":\"f\",\"op\":\"fc\",\"inputs\":[\"c\"],\"weight\":\"fc\"}", T, NULL},
    {"node \"r\": the network must end in a gap or flatten and, behind it, only",
     C GAP ",{\"name\":\"r\",\"op\":\"max_pool\",\"inputs\":[\"g\"],\"kernel\":[1,1]},{\"name\":"
           "\"f\",\"op\":\"fc\",\"inputs\":[\"r\"],\"weight\":\"fc\"}",
     T, NULL},
    {"node \"a\": the network must end in a gap or flatten and, behind it, only",
     C GAP ",{\"name\":\"a\",\"op\":\"add\",\"inputs\":[\"g\",\"g\"]}", T, NULL},
    {"node \"g\" gives 8 classes, the file names 2", C GAP, T, NULL},
    {"node \"e\": \"fc\" may stand behind the last plane only",
     C GAP ",{\"name\":\"e\",\"op\":\"fc\",\"inputs\":[\"g\"],\"weight\":\"fc\"},{\"name\":\"h\","
           "\"op\":\"gap\",\"inputs\":[\"e\"]}",
     T, NULL},
    {"node \"e\": \"flatten\" may stand behind the last plane only",
     C ",{\"name\":\"e\",\"op\":\"flatten\",\"inputs\":[\"c\"]},{\"name\":\"g\",\"op\":\"gap\","
       "\"inputs\":[\"e\"]},{\"name\":\"f\",\"op\":\"fc\",\"inputs\":[\"g\"],\"weight\":\"fc\"}",
     "w:3x3x3x8 b:8 fc:2x648", NULL},
    {"input: member \"resize\" is \"aspect\", but the network takes 9 x 9 alone",
     C ",{\"name\":\"e\",\"op\":\"flatten\",\"inputs\":[\"c\"]},{\"name\":\"f\",\"op\":\"fc\","
       "\"inputs\":[\"e\"],\"weight\":\"fc\"}",
     "w:3x3x3x8 b:8 fc:2x648", NULL},
    {"node \"f\": tensor \"fc\" takes 648 channels, its input has 8", C END,
     "w:3x3x3x8 b:8 fc:2x648", NULL},
    {"network: member \"probability\" is \"odds\", which is unknown", C END, T,
     "\"probability\":\"odds\","},
    {"self_test: logit 1 must be [class, logit]", C END, T,
     "\"self_test\":{\"logits\":[[2,1.5]]},"},
    {"self_test: logit 1 must be [class, logit]", C END, T,
     "\"self_test\":{\"logits\":[[0.5,1.5]]},"},
    {"member \"nodes\" must be an array of 2 to", C, T, NULL},
    {"JSON: member \"name\" is given twice", C END, T, "\"name\":\"again\","},
};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(refused_by_name) {
  cam_graph *graph = NULL;
  cam_error error = {0};
  made_model model = {cases[_i].nodes, cases[_i].tensors, 2, 9, 9, 12, cases[_i].extra};
  const char *path = made_model_write(&model);
  cam_code code = graph_load(path, &graph, &error);
  unlink(path);
  ck_assert_msg(code == CAM_E_MODEL && !graph, "\"%s\": code %d", cases[_i].wrong, code);
  ck_assert_msg(strstr(error.detail, cases[_i].wrong) != NULL, "wanted \"%s\", got \"%s\"",
                cases[_i].wrong, error.detail);
}
END_TEST

/* One class alone is certain by softmax; a sigmoid says yes or no. */
START_TEST(one_class_needs_a_sigmoid) {
  cam_graph *graph = NULL;
  cam_error error = {0};
  made_model model = {C END, "w:3x3x3x8 b:8 fc:1x8", 1, 9, 9, 12, NULL};
  ck_assert_int_eq(graph_load(made_model_write(&model), &graph, &error), CAM_E_MODEL);
  ck_assert_msg(strstr(error.detail, "must be an array of 2 to") != NULL, "%s", error.detail);
  model.extra = "\"probability\":\"sigmoid\",";
  ck_assert_msg(!graph_load(made_model_write(&model), &graph, &error), "%s", error.detail);
  ck_assert_int_eq(graph->probability, CAM_SIGMOID);
  graph_free(graph);
  unlink(made_model_write(&model));
}
END_TEST

START_TEST(a_temperature_is_read_within_its_bounds) {
  cam_graph *graph = NULL;
  cam_error error = {0};
  made_model model = {C END, "w:3x3x3x8 b:8 fc:2x8", 2, 9, 9, 12, NULL};
  ck_assert_msg(!graph_load(made_model_write(&model), &graph, &error), "%s", error.detail);
  ck_assert_float_eq(graph->temperature, 0);
  graph_free(graph);
  model.extra = "\"temperature\":1.25,";
  ck_assert_msg(!graph_load(made_model_write(&model), &graph, &error), "%s", error.detail);
  ck_assert_float_eq(graph->temperature, 1.25F);
  graph_free(graph);
  model.extra = "\"temperature\":0,";
  ck_assert_int_eq(graph_load(made_model_write(&model), &graph, &error), CAM_E_MODEL);
  ck_assert_msg(strstr(error.detail, "\"temperature\"") != NULL, "%s", error.detail);
  unlink(made_model_write(&model));
}
END_TEST

/* Pools that agree on 8 and 20 cells, the ends of what may be asked for, but not on 16. */
START_TEST(sizes_between_the_ends_are_checked) {
  cam_graph *graph = NULL;
  cam_error error = {0};
  made_model model = {
      C ",{\"name\":\"p\",\"op\":\"max_pool\",\"inputs\":[\"c\"],\"kernel\":[2,2],\"stride\":[3,3]}"
        ",{\"name\":\"q\",\"op\":\"max_pool\",\"inputs\":[\"c\"],\"kernel\":[2,2],"
        "\"stride\":[3,3],\"padding\":\"same\"},{\"name\":\"a\",\"op\":\"add\",\"inputs\":[\"p\","
        "\"q\"]},{\"name\":\"g\",\"op\":\"gap\",\"inputs\":[\"a\"]},"
        "{\"name\":\"f\",\"op\":\"fc\",\"inputs\":[\"g\"],\"weight\":\"fc\"}",
      "w:1x1x3x8 b:8 fc:2x8",
      2,
      8,
      8,
      20,
      NULL};
  cam_code code = graph_load(made_model_write(&model), &graph, &error);
  ck_assert_int_eq(code, CAM_E_MODEL);
  ck_assert_msg(strstr(error.detail, "node \"a\": inputs of 5 x 3 and 6 x 3 cells") != NULL, "%s",
                error.detail);
  model.max_side = 12;
  code = graph_load(made_model_write(&model), &graph, &error);
  ck_assert_msg(!code, "%s", error.detail);
  graph_free(graph);
  unlink(made_model_write(&model));
}
END_TEST

/* A good file's bytes; *n: how many. */
static char *good_file(size_t *n) {
  made_model model = {C END, T, 2, 9, 9, 12, NULL};
  const char *path = made_model_write(&model);
  FILE *file = fopen(path, "rb");
  char *bytes = malloc(1 << 16);
  *n = fread(bytes, 1, 1 << 16, file);
  fclose(file);
  unlink(path);
  ck_assert_uint_gt(*n, 500);
  return bytes;
}

static cam_code load_bytes(const char *bytes, size_t n, cam_error *error) {
  cam_graph *graph = NULL;
  const char *path = made_file_write(bytes, n);
  cam_code code = graph_load(path, &graph, error);
  graph_free(graph);
  unlink(path);
  return code;
}

START_TEST(good_file_is_read_and_shorter_ones_are_not) {
  size_t n;
  cam_error error = {0};
  char *bytes = good_file(&n);
  ck_assert_msg(!load_bytes(bytes, n, &error), "%s", error.detail);
  for (size_t cut = 0; cut < n; cut += cut < 64 ? 1 : 13)
    ck_assert_int_eq(load_bytes(bytes, cut, &error), CAM_E_MODEL);
  free(bytes);
}
END_TEST

/* What a file says of its maps, and what holds where it says nothing. */
START_TEST(scale_of_the_maps) {
  static const struct {
    const char *map;
    cam_scale scale; /* CAM_SCALE_COUNT: refused */
  } files[] = {
      {NULL, CAM_RELU},
      {"\"resize\":\"tf1\"", CAM_MINMAX},
      {"\"resize\":\"tf1\",\"scale\":\"relu\"", CAM_RELU},
      {"\"resize\":\"half_pixel\",\"scale\":\"minmax\"", CAM_MINMAX},
      {"\"scale\":\"relu\",\"resize\":\"half_pixel\"", CAM_RELU},
      {"\"resize\":\"half_pixel\",\"scale\":\"max\"", CAM_SCALE_COUNT},
      {"\"resize\":\"half_pixel\",\"scale\":1", CAM_SCALE_COUNT},
      {"\"scale\":\"relu\"", CAM_SCALE_COUNT},
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char extra[100] = "";
    if (files[i].map)
      snprintf(extra, sizeof extra, "\"map\":{%s},", files[i].map);
    const made_model made = {C END, T, 2, 9, 9, 12, extra};
    cam_graph *graph = NULL;
    cam_error error = {0};
    const char *path = made_model_write(&made);
    cam_code code = graph_load(path, &graph, &error);
    unlink(path);
    ck_assert_msg(code == (files[i].scale == CAM_SCALE_COUNT ? CAM_E_MODEL : CAM_OK), "%zu: %s", i,
                  error.detail);
    if (graph)
      ck_assert_int_eq(graph->map_scale, files[i].scale);
    else
      ck_assert(!strncmp(error.detail, "map: ", 5));
    graph_free(graph);
  }
}
END_TEST

START_TEST(changed_bytes_do_no_harm) {
  size_t n;
  char *bytes = good_file(&n);
  uint32_t noise = 1;
  int refused = 0;
  for (int i = 0; i < 3000; i++) {
    noise = noise * 1664525 + 1013904223;
    size_t at = noise % (n / 2);
    char was = bytes[at];
    bytes[at] = (char)(noise >> 24);
    refused += load_bytes(bytes, n, NULL) != CAM_OK;
    bytes[at] = was;
  }
  ck_assert_int_gt(refused, 1000);
  free(bytes);
}
END_TEST

static cam_code load_header(const char *header, size_t data_bytes, cam_error *error) {
  char bytes[4096] = {0};
  uint64_t length = strlen(header);
  memcpy(bytes, &length, 8);
  memcpy(bytes + 8, header, length);
  return load_bytes(bytes, 8 + length + data_bytes, error);
}

START_TEST(tensors_are_checked_against_the_bytes) {
  static const struct {
    const char *header;
    size_t data;
    const char *wrong;
  } headers[] = {
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\","
       "\"shape\":[2],\"data_offsets\":[4,12]}}",
       12, "tensor \"b\": its data overlaps"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\","
       "\"shape\":[1],\"data_offsets\":[12,16]}}",
       16, "tensor \"b\": its data leaves a gap"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 12,
       "the tensors end at byte 8"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
       "tensor \"a\": 8 bytes of data; its shape and dtype take 12"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,16]}}", 8,
       "tensor \"a\": data_offsets 0 to 16"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8,
       "tensor \"a\": data_offsets 8 to 0"},
      {"{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
       "tensor \"a\": dtype \"F31\" is unknown"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8,
       "tensor \"a\": size 0 of its shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,"
       "8]}}",
       8, "tensor \"a\": more than"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1e300],\"data_offsets\":[0,8]}}", 8,
       "tensor \"a\": size 0 of its shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0.5,8.5]}}", 9,
       "tensor \"a\": data_offsets"},
      {"{\"a\":[]}", 0, "tensor \"a\": member \"dtype\" is missing"},
      {"{}", 0, "no network in it"},
      {"[]", 0, "not a JSON object"},
      {"{\"__metadata__\":{\"camserve\":\"{\"}}", 0, "JSON: not valid"},
      {"{\"__metadata__\":{\"camserve\":\"{\\\"version\\\":4}\"}}", 0,
       "version 4 is newer than this program reads (3)"},
      {"{\"__metadata__\":{\"camserve\":\"{\\\"version\\\":2}\"}}", 0,
       "network: member \"name\" is missing"},
  };
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    cam_error error = {0};
    ck_assert_int_eq(load_header(headers[i].header, headers[i].data, &error), CAM_E_MODEL);
    ck_assert_msg(strstr(error.detail, headers[i].wrong) != NULL, "wanted \"%s\", got \"%s\"",
                  headers[i].wrong, error.detail);
  }
  cam_error error = {0};
  ck_assert_int_eq(load_bytes("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10, &error), CAM_E_MODEL);
  cam_graph *graph;
  ck_assert_int_eq(graph_load("/nonexistent", &graph, &error), CAM_E_IO);
  ck_assert_int_eq(graph_load("/", &graph, &error), CAM_E_MODEL);
}
END_TEST

START_TEST(a_value_that_is_not_finite_is_named) {
  size_t n;
  cam_error error = {0};
  char *bytes = good_file(&n);
  memcpy(bytes + n - 4, "\0\0\x80\x7f", 4); /* +Inf as the last value of the last tensor */
  ck_assert_int_eq(load_bytes(bytes, n, &error), CAM_E_MODEL);
  ck_assert_str_eq(error.detail, "node \"f\": tensor \"fc\" has a value that is not finite");
  free(bytes);
}
END_TEST

START_TEST(work_is_bounded) {
  cam_graph *graph;
  cam_error error = {0};
  made_model model = {
      "{\"name\":\"a\",\"op\":\"conv\",\"inputs\":[\"input\"],\"weight\":\"w\"},{\"name\":\"c\","
      "\"op\":\"conv\",\"inputs\":[\"a\"],\"padding\":\"same\",\"weight\":\"v\"}" END,
      "w:1x1x3x64 v:9x9x64x64 fc:2x64",
      2,
      2048,
      2048,
      2048,
      NULL};
  const char *path = made_model_write(&model);
  cam_code code = graph_load(path, &graph, &error);
  unlink(path);
  ck_assert_int_eq(code, CAM_E_MODEL);
  ck_assert_msg(strstr(error.detail, "node \"c\": up to here 1392374710272 multiply-adds at 2048 x "
                                     "2048; allowed are 1099511627776"),
                "%s", error.detail);
}
END_TEST

Suite *graph_suite(void);
Suite *graph_suite(void) {
  Suite *suite = suite_create("graph");
  TCase *tcase = tcase_create("model files");
  tcase_add_loop_test(tcase, refused_by_name, 0, CASES);
  tcase_add_test(tcase, one_class_needs_a_sigmoid);
  tcase_add_test(tcase, a_temperature_is_read_within_its_bounds);
  tcase_add_test(tcase, sizes_between_the_ends_are_checked);
  tcase_add_test(tcase, good_file_is_read_and_shorter_ones_are_not);
  tcase_add_test(tcase, scale_of_the_maps);
  tcase_add_test(tcase, changed_bytes_do_no_harm);
  tcase_add_test(tcase, tensors_are_checked_against_the_bytes);
  tcase_add_test(tcase, work_is_bounded);
  tcase_add_test(tcase, a_value_that_is_not_finite_is_named);
  suite_add_tcase(suite, tcase);
  return suite;
}
