/* test_params.c - the parameters of POST /cam: defaults, every way to write them right and wrong,
 * each error naming its parameter. */
#include "base/file.h"
#include "cam_json.h"
#include "model/model.h"
#include "wire/params.h"
#include <check.h>
#include <stdio.h>
#include <string.h>

static const cam_class classes[] = {{"n01440764", "tench"},
                                    {"n01443537", "goldfish"},
                                    {"n02124075", "Egyptian cat"},
                                    {"n4", "4"},
                                    {"n5", "5"},
                                    {"n6", "6"},
                                    {"n7", "7"},
                                    {"n8", "8"},
                                    {"n9", "9"},
                                    {"n10", "10"},
                                    {"n02012849", "crane"},
                                    {"n03126707", "Crane, hoist"},
                                    {"n02111889", "Samoyed, Samoyede"},
                                    {"n15", "maillot"},
                                    {"n16", "maillot, tank suit"},
                                    {"n17", ""},
                                    {"n18", ", nameless"}};
enum { CLASSES = sizeof classes / sizeof *classes };
static const cam_model model = {
    .info = {.name = "made", .classes = CLASSES, .fine = true, .class_list = classes}};
static request_params params;
static cam_error error;

static void begin(void) { params_init(&params); }
static cam_code set(const char *name, const char *value) {
  cam_code code = params_set(&params, name, value, &error);
  if (!code)
    code = params_resolve(&params, &model, &error);
  return code;
}

START_TEST(defaults) {
  ck_assert_int_eq(params.cam.top_k, 3);
  ck_assert_int_eq(params.cam.n_classes, 0);
  ck_assert(!params.cam.has_minus);
  ck_assert_int_eq(params.cam.detail, CAM_NORMAL);
  ck_assert_float_eq(params.cam.alpha, 0.5f);
  ck_assert_float_lt(params.cam.threshold, 0);
  ck_assert_int_eq(params.cam.scale, CAM_SCALE_OF_MODEL);
  ck_assert_int_eq(params.cam.colormap, CAM_JET);
  ck_assert_int_eq(params.cam.size, CAM_SIZE_FIT);
  ck_assert_int_eq(params.cam.resize, CAM_RESIZE_OF_MODEL);
  ck_assert_int_eq(params.cam.include, CAM_INCLUDE_OVERLAY);
  ck_assert_int_eq(params.cam.picture, CAM_PICTURE_PNG);
  ck_assert(!params_given(&params, "format") && !params_given(&params, "other"));
}
END_TEST

/* What the table says of defaults is what the engine has: set as text, nothing changes. */
START_TEST(defaults_in_the_table_are_those_of_the_engine) {
  const param_info *info = params_info(_i);
  ck_assert(*info->meaning != '\0');
  if (!strcmp(info->fallback, "none") || strchr(info->fallback, '\'')) /* "the model's" */
    return;
  ck_assert_int_eq(set(info->name, info->fallback), CAM_OK);
  ck_assert_mem_eq(&params.cam, &cam_default_params, sizeof cam_default_params);
}
END_TEST

START_TEST(numbers) {
  static const struct {
    const char *text;
    float value;
  } right[] = {{"0", 0},       {"1", 1},   {"0.25", 0.25f}, {".5", 0.5f}, {"1.", 1},
               {"5e-1", 0.5f}, {"1E0", 1}, {"-0", 0},       {"1e-300", 0}};
  for (unsigned i = 0; i < sizeof right / sizeof *right; i++) {
    params_init(&params);
    ck_assert_msg(set("alpha", right[i].text) == CAM_OK, "%s", right[i].text);
    ck_assert_float_eq(params.cam.alpha, right[i].value);
    ck_assert(!__builtin_signbit(params.cam.alpha));
  }
  ck_assert_int_eq(set("threshold", "0.75"), CAM_OK);
  ck_assert_float_eq(params.cam.threshold, 0.75f);
  ck_assert_int_eq(set("top_k", "10"), CAM_OK);
  ck_assert_int_eq(params.cam.top_k, 10);
}
END_TEST

START_TEST(words) {
  static const char
      *const names[] = {"jet", "turbo", "viridis", "inferno", "gray"},
             *const sizes[] = {"fit", "input", "original"},
             *const resizes[] = {"stretch", "aspect"}, *const pictures[] = {"png", "jpeg"},
             *const scales[] = {"minmax", "relu"}, *const details[] = {"normal", "fine"};
  for (unsigned i = 0; i < 5; i++) {
    params_init(&params);
    ck_assert_int_eq(set("colormap", names[i]), CAM_OK);
    ck_assert_uint_eq(params.cam.colormap, i);
    ck_assert_int_eq(set("size", sizes[i % 3]), CAM_OK);
    ck_assert_uint_eq(params.cam.size, i % 3);
    ck_assert_int_eq(set("resize", resizes[i % 2]), CAM_OK);
    ck_assert_uint_eq(params.cam.resize, i % 2);
    ck_assert_int_eq(params_set(&params, "detail", details[i % 2], &error), CAM_OK);
    ck_assert_uint_eq(params.cam.detail, i % 2);
    ck_assert_int_eq(params_set(&params, "scale", scales[i % 2], &error), CAM_OK);
    ck_assert_uint_eq(params.cam.scale, i % 2);
    ck_assert_int_eq(set("format", pictures[i % 2]), CAM_OK);
    ck_assert_uint_eq(params.cam.picture, i % 2);
    ck_assert(params_given(&params, "format") && !params_given(&params, "alpha"));
  }
}
END_TEST

START_TEST(include) {
  static const struct {
    const char *text;
    unsigned value;
  } right[] = {{"none", 0},    {"overlay", 1},       {"heatmap", 2},
               {"map", 4},     {"map,overlay", 5},   {"overlay,heatmap,map", 7},
               {"map,map", 4}, {"probabilities", 8}, {"probabilities,map", 12}};
  for (unsigned i = 0; i < sizeof right / sizeof *right; i++) {
    params_init(&params);
    ck_assert_int_eq(set("include", right[i].text), CAM_OK);
    ck_assert_uint_eq(params.cam.include, right[i].value);
  }
}
END_TEST

START_TEST(classes_by_index_and_id) {
  ck_assert_msg(set("classes", "2,n01440764,11") == CAM_OK, "%s", error.detail);
  ck_assert_int_eq(params.cam.n_classes, 3);
  ck_assert_int_eq(params.cam.classes[0], 2);
  ck_assert_int_eq(params.cam.classes[1], 0);
  ck_assert_int_eq(params.cam.classes[2], 11);
  params_init(&params);
  ck_assert_int_eq(set("classes", "2,n02124075,2,1"), CAM_OK);
  ck_assert_int_eq(params.cam.n_classes, 2);
  ck_assert_int_eq(params.cam.classes[1], 1);
  params_init(&params);
  ck_assert_int_eq(set("classes", "0,1,2,3,4,5,6,7,8,9"), CAM_OK);
  ck_assert_int_eq(params.cam.n_classes, 10);
}
END_TEST

/* The label, or what stands before its first comma; as it is written, else whatever its case. */
START_TEST(classes_by_label) {
  static const struct {
    const char *text;
    int n, ids[3];
  } right[] = {{"goldfish", 1, {1}},
               {"GoldFish", 1, {1}},
               {"Samoyed", 1, {12}},
               {"samoyed", 1, {12}},
               {"Samoyed, Samoyede", 1, {12}},
               {"crane", 1, {10}},
               {"Crane", 1, {11}},
               {"maillot, tank suit", 1, {14}},
               {"Egyptian cat,Samoyed, 0", 3, {2, 12, 0}},
               {"samoyed,12,n02111889", 1, {12}}};
  for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
    params_init(&params);
    ck_assert_msg(!set("classes", right[i].text), "%s: %s", right[i].text, error.detail);
    ck_assert_int_eq(params.cam.n_classes, right[i].n);
    for (int k = 0; k < right[i].n; k++)
      ck_assert_int_eq(params.cam.classes[k], right[i].ids[k]);
  }
}
END_TEST

START_TEST(classes_one_by_one) {
  static const char *const values[] = {"Samoyed, Samoyede", "0,1", "maillot, tank suit"};
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(params_set(&params, "classes", values[i], &error), CAM_OK);
  ck_assert_msg(!params_resolve(&params, &model, &error), "%s", error.detail);
  ck_assert_int_eq(params.cam.n_classes, 4);
  static const int ids[] = {12, 0, 1, 14};
  for (int i = 0; i < 4; i++)
    ck_assert_int_eq(params.cam.classes[i], ids[i]);
  for (int i = 3; i < CAM_MAX_CLASSES; i++)
    ck_assert_int_eq(params_set(&params, "classes", "0", &error), CAM_OK);
  ck_assert_int_eq(params_set(&params, "classes", "0", &error), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, "classes: more than 10; allowed are at most 10");
  ck_assert_int_eq(params_resolve(&params, &model, &error), CAM_E_PARAMETER); /* 3 of one value */
  ck_assert_str_eq(error.detail, "classes: more than 10; allowed are at most 10");
}
END_TEST

/* A contrast has its own colours, unless others are asked for. */
START_TEST(minus) {
  ck_assert_msg(!set("minus", "Samoyed, Samoyede"), "%s", error.detail);
  ck_assert(params.cam.has_minus && params.cam.minus == 12);
  ck_assert_int_eq(params.cam.colormap, CAM_COOLWARM);
  params_init(&params);
  ck_assert_int_eq(params_set(&params, "colormap", "jet", &error), CAM_OK);
  ck_assert_int_eq(set("minus", "n02124075"), CAM_OK);
  ck_assert(params.cam.has_minus && params.cam.minus == 2);
  ck_assert_int_eq(params.cam.colormap, CAM_JET);
  params_init(&params);
  ck_assert_int_eq(params_set(&params, "colormap", "coolwarm", &error), CAM_OK);
  ck_assert_int_eq(set("minus", "0"), CAM_OK);
  ck_assert_int_eq(params.cam.colormap, CAM_COOLWARM);
}
END_TEST

START_TEST(detail_that_the_model_has_not) {
  static const cam_model fixed = {
      .info = {.name = "fixed", .width = 224, .height = 200, .classes = 2, .class_list = classes}};
  ck_assert_int_eq(params_set(&params, "detail", "fine", &error), CAM_OK);
  ck_assert_int_eq(params_resolve(&params, &model, &error), CAM_OK);
  ck_assert_int_eq(params_resolve(&params, &fixed, &error), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail,
                   "detail: \"fine\" shows the network larger inputs, and fixed takes "
                   "224 x 200 alone");
}
END_TEST

/* What a name means is the model's to say, and not before it is asked. */
START_TEST(classes_are_those_of_the_model_that_is_asked) {
  static const cam_class cats[] = {{"n02124075", "Egyptian cat"}, {"n02123045", "tabby"}};
  static const cam_model other = {.info = {.classes = 2, .class_list = cats}};
  ck_assert_int_eq(params_set(&params, "classes", "n02124075", &error), CAM_OK);
  ck_assert_int_eq(params.cam.n_classes, 0);
  ck_assert_int_eq(params_resolve(&params, &model, &error), CAM_OK);
  ck_assert_int_eq(params.cam.classes[0], 2);
  params_init(&params);
  ck_assert_int_eq(params_set(&params, "classes", "n02124075", &error), CAM_OK);
  ck_assert_int_eq(params_resolve(&params, &other, &error), CAM_OK);
  ck_assert_int_eq(params.cam.n_classes, 1);
  ck_assert_int_eq(params.cam.classes[0], 0);
}
END_TEST

/* The longest value that is kept, and one longer. */
START_TEST(a_long_list_of_classes) {
  char text[PARAM_VALUE_MAX + 2];
  memset(text, '0', sizeof text);
  text[PARAM_VALUE_MAX + 1] = '\0';
  ck_assert_int_eq(params_set(&params, "classes", text, &error), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, "classes: more than 1024 characters");
  params_init(&params);
  text[PARAM_VALUE_MAX] = '\0';
  ck_assert_int_eq(params_set(&params, "classes", text, &error), CAM_OK);
  ck_assert_int_eq(params_resolve(&params, &model, &error), CAM_E_PARAMETER);
}
END_TEST

#define WANTED "; an index (285), a WordNet id or a label is wanted"
static const struct {
  const char *name, *value, *said;
} wrong[] = {
    {"top_k", "0", "top_k: \"0\"; allowed are whole numbers from 1 to 10"},
    {"top_k", "11", "top_k: \"11\"; allowed are whole numbers from 1 to 10"},
    {"top_k", "", "top_k: \"\"; allowed are whole numbers from 1 to 10"},
    {"top_k", "3.0", "top_k: \"3.0\"; allowed are whole numbers from 1 to 10"},
    {"top_k", "-3", NULL},
    {"top_k", "+3", NULL},
    {"top_k", " 3", NULL},
    {"top_k", "3 ", NULL},
    {"top_k", "0x3", NULL},
    {"top_k", "three", NULL},
    {"top_k", "99999999999999999999", NULL},
    {"top_k", "4294967297", NULL},
    {"alpha", "1.01", "alpha: \"1.01\"; allowed are decimal numbers from 0 to 1"},
    {"alpha", "-0.01", NULL},
    {"alpha", "NaN", NULL},
    {"alpha", "inf", NULL},
    {"alpha", "1e999", NULL},
    {"alpha", "", NULL},
    {"alpha", ".", NULL},
    {"alpha", "e1", NULL},
    {"alpha", "0x1p-1", NULL},
    {"alpha", "0,5", NULL},
    {"alpha", "0.5 ", NULL},
    {"alpha", " 0.5", NULL},
    {"alpha", "0.5.5", NULL},
    {"alpha", "+0.5", NULL},
    {"threshold", "2", "threshold: \"2\"; allowed are decimal numbers from 0 to 1"},
    {"colormap", "Jet",
     "colormap: \"Jet\"; allowed are jet, turbo, viridis, inferno, gray and coolwarm"},
    {"colormap", "coolwarm", "colormap: \"coolwarm\" is for contrasts; minus is wanted with it"},
    {"minus", "zebra", "minus: \"zebra\" is no class of this model" WANTED},
    {"minus", "0,1", NULL},
    {"minus", "", NULL},
    {"minus", "maillot", NULL},
    {"colormap", "", NULL},
    {"colormap", "je", NULL},
    {"colormap", "jet,turbo", NULL},
    {"size", "224", "size: \"224\"; allowed are fit, input and original"},
    {"resize", "letterbox", "resize: \"letterbox\"; allowed are stretch and aspect"},
    {"scale", "max", "scale: \"max\"; allowed are minmax and relu"},
    {"format", "jpg", "format: \"jpg\"; allowed are png and jpeg"},
    {"format", "", NULL},
    {"format", "PNG", NULL},
    {"include", "overlay,none",
     "include: \"overlay,none\"; allowed are a comma list of overlay, heatmap, map and "
     "probabilities, or none alone"},
    {"include", "", NULL},
    {"include", "map,", NULL},
    {"include", ",map", NULL},
    {"include", "none,", NULL},
    {"include", "maps", NULL},
    {"include", "map, overlay", NULL},
    {"classes", "17", "classes: \"17\" is no class of this model" WANTED},
    {"classes", "n0144076400000000", NULL},
    {"classes", "0,zebra", "classes: \"zebra\" is no class of this model" WANTED},
    {"classes", "maillot",
     "classes: \"maillot\" names 2 classes: 13 (maillot), 14 (maillot, tank suit)" WANTED},
    {"classes", "CRANE",
     "classes: \"CRANE\" names 2 classes: 10 (crane), 11 (Crane, hoist)" WANTED},
    {"classes", "Samoyede", NULL}, /* its second name */
    {"classes", "Samoye", NULL},
    {"classes", "maillot,0", NULL},
    {"classes", "", NULL},
    {"classes", "1,", NULL},
    {"classes", "-1", NULL},
    {"classes", "1,,2", NULL},
    {"classes", "n0212407500000000000000000000000000000000000000", NULL},
    {"classes", "0,1,2,3,4,5,6,7,8,9,10", "classes: more than 10; allowed are at most 10"},
    {"topk", "3", NULL},
    {"", "3", NULL},
    {"top_k ", "3", NULL},
};
START_TEST(refused) {
  char prefix[32];
  ck_assert_msg(set(wrong[_i].name, wrong[_i].value) == CAM_E_PARAMETER, "%s=%s", wrong[_i].name,
                wrong[_i].value);
  if (wrong[_i].said)
    ck_assert_str_eq(error.detail, wrong[_i].said);
  snprintf(prefix, sizeof prefix, "%s: ", wrong[_i].name);
  ck_assert_msg(!strncmp(error.detail, prefix, strlen(prefix)), "%s", error.detail);
}
END_TEST

START_TEST(an_unknown_name_is_told_all_names) {
  ck_assert_int_eq(set("topk", "3"), CAM_E_PARAMETER);
  const char *at = strstr(error.detail, "topk: no such parameter; allowed are ");
  ck_assert_ptr_eq(at, error.detail);
  for (int row = 0; row < PARAM_COUNT; row++) {
    at = strstr(at, params_info(row)->name);
    ck_assert_msg(at != NULL, "%s is not in \"%s\"", params_info(row)->name, error.detail);
  }
}
END_TEST

/* A value of this parameter that is right. */
static const char *right_value(const param_info *info) {
  if (!strcmp(info->fallback, "none"))
    return "0";
  if (!strcmp(info->name, "resize"))
    return "aspect";
  if (!strcmp(info->name, "scale"))
    return "relu";
  if (!strcmp(info->name, "threshold"))
    return "0.2";
  return info->fallback;
}

START_TEST(given_twice) {
  const param_info *info = params_info(_i);
  ck_assert_int_eq(set(info->name, right_value(info)), CAM_OK);
  if (info->repeats) {
    ck_assert_int_eq(set(info->name, right_value(info)), CAM_OK);
    return;
  }
  ck_assert_int_eq(set(info->name, right_value(info)), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, ": given twice"));
  ck_assert(!strncmp(error.detail, info->name, strlen(info->name)));
}
END_TEST

/* ---- what is written by hand beside the table ---- */

/* A file of the source tree as JSON, for json_free. */
static json *read_document(const char *path) {
  char *text;
  size_t n;
  ck_assert_msg(!file_read("document", path, 1 << 20, &text, &n, &error), "%s", error.detail);
  json *tree = json_parse(text, n, CAM_E_BODY, &error);
  ck_assert_msg(tree != NULL, "%s", error.detail);
  file_forget(text, n);
  return tree;
}

static const json *down(const json *from, const char *const *path) {
  for (; from && *path; path++)
    from = json_member(from, *path);
  return from;
}
#define DOWN(from, ...) down(from, (const char *const[]){__VA_ARGS__, NULL})

/* The schema's range or words, written as params_allowed writes them. */
static void write_allowed(const json *schema, char out[PARAM_TEXT_MAX]) {
  int used = 0;
  out[0] = 0;
  for (const json *word = json_first(json_member(schema, "enum")); word; word = json_next(word))
    used += snprintf(out + used, (size_t)(PARAM_TEXT_MAX - used), "%s%s", used ? ", " : "",
                     json_text(word));
  if (!used)
    snprintf(out, PARAM_TEXT_MAX, "%g to %g", json_number(json_member(schema, "minimum")),
             json_number(json_member(schema, "maximum")));
}

static void check_schema(int row, const json *schema) {
  const param_info *info = params_info(row);
  const json *fallback = json_member(schema, "default");
  char allowed[PARAM_TEXT_MAX], said[PARAM_TEXT_MAX];
  if (!info->list && !info->of_service && strcmp(info->fallback, "none")) { /* names: any text */
    write_allowed(schema, said);
    ck_assert_str_eq(said, params_allowed(row, ", ", allowed));
  }
  if (!fallback)
    return;
  snprintf(said, sizeof said, "%g", json_number(fallback));
  ck_assert_str_eq(json_type_of(fallback) == JSON_STRING ? json_text(fallback) : said,
                   info->fallback);
}

/* The row's component, and its name in *name. */
static const json *find_component(const json *components, int row, const char **name) {
  for (const json *at = json_first(components); at; at = json_next(at))
    if (!strcmp(json_text(json_member(at, "name")), params_info(row)->name)) {
      *name = json_name(at);
      return at;
    }
  ck_abort_msg("components/parameters of static/openapi.json: %s is missing",
               params_info(row)->name);
  return NULL;
}

static bool is_referred_to(const json *list, const char *component) {
  char reference[100];
  snprintf(reference, sizeof reference, "#/components/parameters/%s", component);
  for (const json *at = json_first(list); at; at = json_next(at))
    if (!strcmp(json_text(json_member(at, "$ref")), reference))
      return true;
  return false;
}

START_TEST(openapi_says_the_same) {
  json *document = read_document("static/openapi.json");
  const json *components = DOWN(document, "components", "parameters"),
             *query = DOWN(document, "paths", "/cam", "post", "parameters"),
             *fields = DOWN(document, "components", "schemas", "FormBody", "properties"),
             *members = DOWN(document, "components", "schemas", "JsonBody", "properties");
  for (int row = 0; row < PARAM_COUNT; row++) {
    const char *component, *name = params_info(row)->name;
    const json *at = find_component(components, row, &component);
    ck_assert_str_eq(json_text(json_member(at, "in")), "query");
    check_schema(row, json_member(at, "schema"));
    ck_assert_msg(is_referred_to(query, component), "/cam has no parameter %s", name);
    ck_assert_msg(json_member(fields, name) != NULL, "FormBody has no %s", name);
    ck_assert_msg(json_member(members, name) != NULL, "JsonBody has no %s", name);
  }
  ck_assert_int_eq(json_count(fields), PARAM_COUNT + 1); /* image */
  ck_assert_int_eq(json_count(members), PARAM_COUNT + 1);
  ck_assert_int_eq(json_count(query), PARAM_COUNT + 2); /* two headers */
  json_free(document);
}
END_TEST

Suite *params_suite(void);
Suite *params_suite(void) {
  Suite *suite = suite_create("params");
  TCase *tcase = tcase_create("params");
  tcase_add_checked_fixture(tcase, begin, NULL);
  tcase_add_test(tcase, defaults);
  tcase_add_loop_test(tcase, defaults_in_the_table_are_those_of_the_engine, 0, PARAM_COUNT);
  tcase_add_test(tcase, numbers);
  tcase_add_test(tcase, words);
  tcase_add_test(tcase, include);
  tcase_add_test(tcase, classes_by_index_and_id);
  tcase_add_test(tcase, minus);
  tcase_add_test(tcase, detail_that_the_model_has_not);
  tcase_add_test(tcase, classes_by_label);
  tcase_add_test(tcase, classes_one_by_one);
  tcase_add_test(tcase, classes_are_those_of_the_model_that_is_asked);
  tcase_add_test(tcase, a_long_list_of_classes);
  tcase_add_loop_test(tcase, refused, 0, (int)(sizeof wrong / sizeof *wrong));
  tcase_add_test(tcase, an_unknown_name_is_told_all_names);
  tcase_add_loop_test(tcase, given_twice, 0, PARAM_COUNT);
  tcase_add_test(tcase, openapi_says_the_same);
  suite_add_tcase(suite, tcase);
  return suite;
}
