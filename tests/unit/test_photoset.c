/* test_photoset.c - labelled photos from folders made for it, with and without train/ and val/, and
 * from CSV files; cells in every form that they come; what is refused, and in which words. */
#include "cli/csv.h"
#include "cli/photoset_read.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static cam_error error;
static photoset set;

static const char *within(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}
static void put(const char *name, const char *text) {
  char *path = strdup(within(name));
  for (char *c = path + strlen(folder) + 1; *c; c++)
    if (*c == '/') {
      *c = '\0';
      mkdir(path, 0777);
      *c = '/';
    }
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  fputs(text, file);
  fclose(file);
  free(path);
}

static void begin(void) {
  strcpy(folder, "/tmp/test_photoset_XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  set = (photoset){0};
}
static void end(void) {
  char command[96];
  photoset_free(&set);
  snprintf(command, sizeof command, "rm -rf %s", folder);
  ck_assert_int_eq(system(command), 0);
}

/* "ant|bee: ant/1.jpg=ant bee/2.png=bee:val" of what was read. */
static const char *told(void) {
  static const char *const parts[] = {"", ":train", ":val"};
  static char text[4096];
  size_t n = 0;
  for (int c = 0; c < set.n_classes; c++)
    n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", c ? "|" : "", set.classes[c]);
  n += (size_t)snprintf(text + n, sizeof text - n, ":");
  for (int i = 0; i < set.n; i++) {
    const labelled_photo *photo = &set.photos[i];
    const char *path = photo->path;
    if (!strncmp(path, folder, strlen(folder)))
      path += strlen(folder) + 1;
    n += (size_t)snprintf(text + n, sizeof text - n, " %s=%s%s", path,
                          set.classes[photo->class_index], parts[photo->part]);
  }
  return text;
}

static void read_data(const char *name) {
  ck_assert_msg(!photoset_open(within(name), NULL, &set, &error), "%s", error.detail);
}
static void refuse(const char *name, cam_code code, const char *words) {
  ck_assert_int_eq(photoset_open(within(name), NULL, &set, &error), code);
  ck_assert_msg(strstr(error.detail, words), "%s", error.detail);
  photoset_free(&set);
}

START_TEST(a_folder_for_each_class) {
  put("d/bee/2.png", "");
  put("d/bee/deep/er/3.JPG", "");
  put("d/ant hill/1.jpg", "");
  put("d/ant hill/notes.txt", "");
  put("d/ant hill/1.cam.png", "");
  put("d/.hidden/1.jpg", "");
  put("d/loose.jpg", "");
  read_data("d");
  ck_assert_str_eq(told(), "ant hill|bee: d/ant hill/1.jpg=ant hill d/bee/2.png=bee "
                           "d/bee/deep/er/3.JPG=bee");
  ck_assert_int_eq(set.loose, 1);
  ck_assert_int_eq(set.others.files, 1);
  ck_assert_int_eq(photoset_count(&set, 1, PART_COUNT), 2);
  ck_assert_int_eq(photoset_count(&set, 1, PART_VAL), 0);
}
END_TEST

START_TEST(train_and_val) {
  put("d/train/ant/1.jpg", "");
  put("d/train/bee/2.jpg", "");
  put("d/val/bee/3.jpg", "");
  put("d/test/bee/4.jpg", "");
  read_data("d");
  ck_assert(set.has_parts);
  ck_assert_int_eq(set.unread, 1);
  ck_assert_str_eq(told(), "ant|bee: d/train/ant/1.jpg=ant:train d/train/bee/2.jpg=bee:train "
                           "d/val/bee/3.jpg=bee:val");
}
END_TEST

START_TEST(classes_that_are_called_train_and_val) {
  put("d/train/1.jpg", "");
  put("d/val/2.jpg", "");
  read_data("d");
  ck_assert(!set.has_parts);
  ck_assert_str_eq(told(), "train|val: d/train/1.jpg=train d/val/2.jpg=val");
}
END_TEST

START_TEST(validation_from_elsewhere) {
  put("d/ant/1.jpg", "");
  put("d/bee/2.jpg", "");
  put("v/bee/3.jpg", "");
  put("w/wasp/3.jpg", "");
  read_data("d");
  ck_assert_msg(!photoset_add_validation(&set, within("v"), NULL, &error), "%s", error.detail);
  ck_assert_str_eq(told(),
                   "ant|bee: d/ant/1.jpg=ant:train d/bee/2.jpg=bee:train v/bee/3.jpg=bee:val");
  ck_assert_int_eq(photoset_add_validation(&set, within("w"), NULL, &error), CAM_E_BODY);
  ck_assert_ptr_nonnull(strstr(error.detail, "\"wasp\""));
}
END_TEST

START_TEST(what_no_folder_is) {
  put("empty/x", "");
  put("one/ant/1.jpg", "");
  put("hole/ant/1.jpg", "");
  put("hole/bee/readme.md", "");
  put("flat/1.jpg", "");
  refuse("empty", CAM_E_NOT_FOUND, "no folders in it");
  refuse("flat", CAM_E_NOT_FOUND, "one for each class");
  refuse("one", CAM_E_BODY, "one class, \"ant\"; two are needed");
  refuse("hole", CAM_E_NOT_FOUND, "hole/bee/: a folder without photos, but with 1 .md");
  refuse("nowhere", CAM_E_NOT_FOUND, "No such file");
}
END_TEST

/* ---- CSV ---- */

START_TEST(a_csv_file) {
  put("list.csv", "\xef\xbb\xbf"
                  "class, path ,width\r\n"
                  "bee,\"my photos/a, b \"\"c\"\".jpg\",3\r\n"
                  "\r\n"
                  " ant hill , d/2 x.jpg ,\n"
                  "bee,/abs/3.jpg,");
  read_data("list.csv");
  ck_assert_str_eq(told(), "ant hill|bee: my photos/a, b \"c\".jpg=bee d/2 x.jpg=ant hill "
                           "/abs/3.jpg=bee");
}
END_TEST

START_TEST(what_no_csv_is) {
  static const char *const cases[][2] = {
      {"", "no column \"path\""},
      {"photo,class\na.jpg,x\n", "no column \"path\"; it must be path,class"},
      {"path,label\na.jpg,x\n", "no column \"class\""},
      {"path,class\na.jpg\n", "line 2: 1 cells; the first line has 2"},
      {"path,class\na.jpg,x\n\"b\nc.jpg\",x,y\n", "line 3: 3 cells"},
      {"path,class\n\"a.jpg,x\n", "line 2: a quote without its end"},
      {"path,class\n\"a\"b,x\n", "line 2: text behind a quoted cell"},
      {"path,class\n,x\n", "line 2: no path"},
      {"path,class\na.jpg,\n", "line 2: no class"},
      {"path,class\n", "no photos"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    put("bad.csv", cases[i][0]);
    ck_assert_int_ne(photoset_open(within("bad.csv"), NULL, &set, &error), CAM_OK);
    ck_assert_msg(strstr(error.detail, cases[i][1]), "%s: %s", cases[i][0], error.detail);
    ck_assert_msg(strstr(error.detail, "bad.csv: "), "%s", error.detail);
    photoset_free(&set);
  }
}
END_TEST

/* Cells of all records, "a|b/c|d". */
static const char *cells_of(const char *text) {
  static char out[4096], copy[4096];
  char *cells[CSV_MAX_COLUMNS];
  csv_reader csv;
  size_t used = 0;
  out[0] = '\0';
  strcpy(copy, text);
  ck_assert_int_eq(csv_open(&csv, copy, strlen(text), &error), CAM_OK);
  for (int n = csv_next(&csv, cells, &error); n; n = csv_next(&csv, cells, &error)) {
    used += (size_t)snprintf(out + used, sizeof out - used, "%s", used ? "/" : "");
    for (int i = 0; i < n; i++)
      used += (size_t)snprintf(out + used, sizeof out - used, "%s%s", i ? "|" : "", cells[i]);
  }
  return out;
}

START_TEST(cells) {
  ck_assert_str_eq(cells_of("a,b\nc,d"), "a|b/c|d");
  ck_assert_str_eq(cells_of("a,\n"), "a|");
  ck_assert_str_eq(cells_of("a,"), "a|");
  ck_assert_str_eq(cells_of(",\n"), "|");
  ck_assert_str_eq(cells_of("\n \n\r\na\n\n"), "a");
  ck_assert_str_eq(cells_of("\"\",\"\"\"\"\r\n"), "|\"");
  ck_assert_str_eq(cells_of(" \" a \" ,b c "), " a |b c");
  ck_assert_str_eq(cells_of("a\"b,c"), "a\"b|c");
  ck_assert_str_eq(cells_of("\"a\r\nb\",c"), "a\r\nb|c");
  ck_assert_str_eq(cells_of("a\rb"), "a\rb");
  ck_assert_str_eq(cells_of(""), "");
}
END_TEST

START_TEST(a_nul_and_too_many_cells) {
  char nul[] = "a\0b", many[2 * CSV_MAX_COLUMNS + 1];
  char *found[CSV_MAX_COLUMNS];
  csv_reader csv;
  ck_assert_int_eq(csv_open(&csv, nul, 3, &error), CAM_E_BODY);
  memset(many, ',', sizeof many);
  ck_assert_int_eq(csv_open(&csv, many, CSV_MAX_COLUMNS - 1, &error), CAM_OK);
  ck_assert_int_eq(csv_next(&csv, found, &error), CSV_MAX_COLUMNS);
  memset(many, ',', sizeof many);
  ck_assert_int_eq(csv_open(&csv, many, CSV_MAX_COLUMNS, &error), CAM_OK);
  ck_assert_int_eq(csv_next(&csv, found, &error), 0);
  ck_assert_ptr_nonnull(strstr(error.detail, "line 1: more than 64 cells"));
}
END_TEST

Suite *photoset_suite(void);
Suite *photoset_suite(void) {
  Suite *suite = suite_create("photoset");
  TCase *data = tcase_create("data");
  tcase_add_checked_fixture(data, begin, end);
  tcase_add_test(data, a_folder_for_each_class);
  tcase_add_test(data, train_and_val);
  tcase_add_test(data, classes_that_are_called_train_and_val);
  tcase_add_test(data, validation_from_elsewhere);
  tcase_add_test(data, what_no_folder_is);
  tcase_add_test(data, a_csv_file);
  tcase_add_test(data, what_no_csv_is);
  suite_add_tcase(suite, data);
  TCase *csv = tcase_create("csv");
  tcase_add_test(csv, cells);
  tcase_add_test(csv, a_nul_and_too_many_cells);
  suite_add_tcase(suite, csv);
  return suite;
}
