/* test_report.c - figures of answers that are known, and the folder that is there as a whole or not
 * at all. */
#include "cli/report.h"
#include "cli/report_folder.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- shares ---- */

/* Wilson's intervals are the roots of (p - right / of)^2 = z^2 p (1 - p) / of. */
static const struct {
  int right, of;
  double low, high;
} intervals[] = {{170, 200, 0.793944, 0.892864}, {0, 10, 0, 0.277533},
                 {10, 10, 0.722467, 1},          {1, 2, 0.094531, 0.905469},
                 {35, 40, 0.738879, 0.945405},   {0, 0, 0, 1}};

START_TEST(intervals_are_wilson_s) {
  const report_share share = report_share_of(intervals[_i].right, intervals[_i].of);
  ck_assert_double_eq_tol(share.low, intervals[_i].low, 1e-6);
  ck_assert_double_eq_tol(share.high, intervals[_i].high, 1e-6);
}
END_TEST

/* ---- figures ---- */

enum { CLASSES = 3, PHOTOS = 8, COPIES = 4 };
static const cam_class names[CLASSES] = {{"", "ant"}, {"", "bee, \"honey\" bee"}, {"", "cat"}};
static const cam_model_info model = {
    .name = "made", .classes = CLASSES, .class_list = names, .probability = CAM_SOFTMAX};

/* class, given, probability; the rest is shared out evenly. The last one could not be read. */
static const struct {
  int class_id, given;
  float probability;
} said[PHOTOS] = {{0, 0, 0.96F}, {0, 0, 0.93F}, {0, 1, 0.82F}, {0, 2, 0.52F},
                  {1, 1, 0.86F}, {1, 2, 0.71F}, {0, 1, 0.61F}, {2, 2, 0}};

static report_photo photos[COPIES * PHOTOS];
static float logits[COPIES * PHOTOS][CLASSES];
static int labels[COPIES * PHOTOS];

static void add_said(report_answers *answers, int i) {
  const float rest = (1 - said[i].probability) / (CLASSES - 1);
  const bool right = said[i].class_id == said[i].given;
  report_photo *photo = &answers->photos[answers->n++];
  if (i == PHOTOS - 1) {
    *photo = (report_photo){.path = "b,\"c\".jpg", .class_id = 2, .given = -1};
    cam_fail(&photo->error, CAM_E_IO, "gone, all of it");
    return;
  }
  *photo = (report_photo){.path = "a.jpg",
                          .class_id = said[i].class_id,
                          .given = said[i].given,
                          .rank = 2 - right,
                          .probability = said[i].probability,
                          .of_class = rest};
  if (right)
    photo->of_class = said[i].probability;
  for (int c = 0; c < CLASSES; c++)
    logits[answers->n_read][c] = logf(c == said[i].given ? said[i].probability : rest);
  labels[answers->n_read++] = said[i].class_id;
}

static report made_report(int copies) {
  report about = {
      .model = &model, .data = "photos", .answers = {0, photos, 0, CLASSES, &logits[0][0], labels}};
  for (int i = 0; i < copies * PHOTOS; i++)
    add_said(&about.answers, i % PHOTOS);
  return about;
}

START_TEST(classes_are_counted) {
  const report about = made_report(1);
  report_figures figures;
  ck_assert(report_figures_make(&about.answers, &model, &figures));
  ck_assert_int_eq(figures.accuracy.right, 3);
  ck_assert_int_eq(figures.accuracy.of, 7);
  ck_assert_int_eq(figures.largest_class, 0);
  ck_assert_int_eq(figures.largest.right, 5);
  ck_assert_double_eq_tol(figures.mean_recall, (2.0 / 5 + 1.0 / 2) / 2, 1e-12);
  static const int rows[CLASSES][4] = {{2, 5, 2, 2}, {1, 2, 1, 3}, {0, 0, 0, 2}};
  ck_assert_int_eq(figures.n_classes, CLASSES);
  for (int c = 0; c < CLASSES; c++) {
    const report_class *row = &figures.classes[c];
    const int found[] = {row->recall.right, row->recall.of, row->precision.right,
                         row->precision.of};
    ck_assert_int_eq(row->class_id, c);
    ck_assert_mem_eq(found, rows[c], sizeof found);
  }
  static const report_pair pairs[] = {{0, 1, 2}, {0, 2, 1}, {1, 2, 1}};
  ck_assert_int_eq(figures.n_pairs, 3);
  ck_assert_mem_eq(figures.pairs, pairs, sizeof pairs);
  report_figures_free(&figures);
}
END_TEST

START_TEST(sureness_is_measured) {
  const report about = made_report(1);
  report_figures figures;
  ck_assert(report_figures_make(&about.answers, &model, &figures));
  /* bins: .52: 0 of 1; .61: 0 of 1; .71: 0 of 1; .82 and .86: 1 of 2; .93 and .96: 2 of 2 */
  const double off = 0.52 + 0.61 + 0.71 + (1.68 - 1) + (2 - 1.89);
  ck_assert_double_eq_tol(figures.said.error, off / 7, 1e-6);
  ck_assert_int_eq(figures.said.bins[9].photos, 2);
  ck_assert_int_eq(figures.said.bins[8].right, 1);
  ck_assert_double_eq_tol(figures.said.bins[8].probability, 0.84, 1e-6);
  ck_assert(!figures.fitted && !figures.stored);
  report_figures_free(&figures);
}
END_TEST

/* It is too sure of itself. */
START_TEST(a_temperature_is_fitted_to_more_than_a_few) {
  const report about = made_report(COPIES);
  report_figures figures;
  ck_assert(report_figures_make(&about.answers, &model, &figures));
  ck_assert(figures.fitted);
  ck_assert_double_gt(figures.at_best.temperature, 1);
  ck_assert_double_lt(figures.at_best.cross_entropy, figures.said.cross_entropy);
  report_figures_free(&figures);
}
END_TEST

START_TEST(the_least_sure_are_left_out_first) {
  const report about = made_report(1);
  report_figures figures;
  ck_assert(report_figures_make(&about.answers, &model, &figures));
  static const int right[] = {1, 2, 3, 3, 3, 3, 3}; /* from the surest on */
  ck_assert_int_eq(figures.n_covers, 7);
  for (int i = 0; i < 7; i++) {
    ck_assert_int_eq(figures.covers[i].photos, i + 1);
    ck_assert_int_eq(figures.covers[i].right.right, right[i]);
  }
  for (int t = 0; t < REPORT_TARGETS; t++) {
    ck_assert_int_eq(figures.targets[t].photos, 3);
    ck_assert_float_eq(figures.targets[t].least, 0.86F);
  }
  report_figures_free(&figures);
}
END_TEST

/* A model's own temperature is measured as it is, of a sigmoid's probabilities none. */
START_TEST(other_models) {
  const report about = made_report(1);
  cam_model_info other = model;
  report_figures figures;
  other.temperature = 2;
  ck_assert(report_figures_make(&about.answers, &other, &figures));
  ck_assert(figures.stored);
  ck_assert_double_eq(figures.at_stored.temperature, 2);
  report_figures_free(&figures);
  other.probability = CAM_SIGMOID;
  ck_assert(report_figures_make(&about.answers, &other, &figures));
  ck_assert(!figures.stored && !figures.fitted);
  report_figures_free(&figures);
}
END_TEST

START_TEST(lines_are_those_of_rfc_4180) {
  const report about = made_report(1);
  char *text;
  size_t n;
  FILE *out = open_memstream(&text, &n);
  report_csv(out, &about);
  fclose(out);
  ck_assert_ptr_nonnull(strstr(text, "\r\na.jpg,ant,\"bee, \"\"honey\"\" bee\",0.8"));
  ck_assert_ptr_nonnull(strstr(text, "\r\n\"b,\"\"c\"\".jpg\",cat,,,2,,,,\"gone, all of it\"\r\n"));
  ck_assert_str_eq(text + n - 2, "\r\n");
  free(text);
}
END_TEST

/* ---- the folder ---- */

static char root[64], there[128], unfinished[128];

static void make_root(void) {
  strcpy(root, "/tmp/camserve-report-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(root));
  snprintf(there, sizeof there, "%s/report", root);
  snprintf(unfinished, sizeof unfinished, "%s/report.tmp", root);
}

static void remove_root(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", root);
  ck_assert_int_eq(system(command), 0);
}

static cam_code write_folder(const char *json, bool force, bool finish, cam_error *error) {
  report_folder folder;
  cam_code code = report_folder_open(&folder, there, force, error);
  if (!code) {
    FILE *file = report_folder_create(&folder, "report.json", error);
    fputs(json, file);
    code = report_folder_close(&folder, file, error);
  }
  if (!code && finish)
    code = report_folder_finish(&folder, error);
  report_folder_drop(&folder);
  return code;
}

static void check_there(const char *json) {
  char path[160], text[64] = "";
  snprintf(path, sizeof path, "%s/report.json", there);
  FILE *file = fopen(path, "r");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fread(text, 1, sizeof text - 1, file), strlen(json));
  fclose(file);
  ck_assert_str_eq(text, json);
  ck_assert(access(unfinished, F_OK));
}

static const char first[] = "{\n\t\"camserve_report\": 1}", second[] = "{\"camserve_report\":2}";

START_TEST(a_report_is_replaced_if_that_is_wanted) {
  cam_error error;
  ck_assert_int_eq(write_folder(first, false, false, &error), CAM_OK);
  ck_assert(access(there, F_OK) && access(unfinished, F_OK));
  ck_assert_int_eq(mkdir(unfinished, 0777), 0); /* as a run that was killed leaves it */
  ck_assert_int_eq(write_folder(first, false, true, &error), CAM_OK);
  ck_assert_int_eq(write_folder(second, false, true, &error), CAM_E_IO);
  ck_assert_ptr_nonnull(strstr(error.detail, "--force"));
  ck_assert_int_eq(write_folder(second, true, false, &error), CAM_OK);
  check_there(first);
  ck_assert_int_eq(write_folder(second, true, true, &error), CAM_OK);
  check_there(second);
}
END_TEST

static void touch(const char *folder, const char *name, const char *text) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  fputs(text, file);
  fclose(file);
}

START_TEST(what_is_not_ours_is_left) {
  cam_error error;
  struct stat status;
  switch (_i) {
  case 0: /* a file beside those of a report */
    ck_assert_int_eq(write_folder(first, false, true, &error), CAM_OK);
    touch(there, "thesis.txt", "mine");
    break;
  case 1: /* another one's report.json */
    ck_assert_int_eq(mkdir(there, 0777), 0);
    touch(there, "report.json", "{\"mine\": 1}");
    break;
  case 2:
    touch(root, "report", "a file");
    break;
  default:
    ck_assert_int_eq(symlink(root, there), 0);
  }
  ck_assert_int_eq(write_folder(second, true, true, &error), CAM_E_IO);
  ck_assert_msg(strstr(error.detail, "left as it is") != NULL, "%s", error.detail);
  ck_assert_int_eq(lstat(there, &status), 0);
  ck_assert(access(unfinished, F_OK));
}
END_TEST

START_TEST(two_at_once_do_not_mix) {
  cam_error error;
  report_folder one, two;
  ck_assert_int_eq(report_folder_open(&one, there, false, &error), CAM_OK);
  ck_assert_int_eq(report_folder_open(&two, there, false, &error), CAM_E_IO);
  ck_assert_ptr_nonnull(strstr(error.detail, "another camserve"));
  report_folder_drop(&two);
  ck_assert(!access(unfinished, F_OK));
  report_folder_drop(&one);
  ck_assert(access(unfinished, F_OK));
}
END_TEST

Suite *report_suite(void);
Suite *report_suite(void) {
  Suite *suite = suite_create("report");
  TCase *tcase = tcase_create("figures");
  tcase_add_loop_test(tcase, intervals_are_wilson_s, 0, sizeof intervals / sizeof *intervals);
  tcase_add_test(tcase, classes_are_counted);
  tcase_add_test(tcase, sureness_is_measured);
  tcase_add_test(tcase, a_temperature_is_fitted_to_more_than_a_few);
  tcase_add_test(tcase, the_least_sure_are_left_out_first);
  tcase_add_test(tcase, other_models);
  tcase_add_test(tcase, lines_are_those_of_rfc_4180);
  suite_add_tcase(suite, tcase);
  TCase *folder = tcase_create("folder");
  tcase_add_checked_fixture(folder, make_root, remove_root);
  tcase_add_test(folder, a_report_is_replaced_if_that_is_wanted);
  tcase_add_loop_test(folder, what_is_not_ours_is_left, 0, 4);
  tcase_add_test(folder, two_at_once_do_not_mix);
  suite_add_tcase(suite, folder);
  return suite;
}
