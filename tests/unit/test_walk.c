/* test_walk.c - folders made for it: the order of paths, names that are none of photos, links that
 * lead around, up and nowhere, folders that cannot be read; lists of paths and operands, in every
 * form that they come. */
#include "cli/photo_source.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64], seen[8192];
static cam_error error;

static const char *in_root(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", root, name);
  return path;
}
static void make_file(const char *name, const char *text) {
  FILE *file = fopen(in_root(name), "w");
  ck_assert_ptr_nonnull(file);
  fputs(text, file);
  fclose(file);
}
static void make_folder(const char *name) { ck_assert_int_eq(mkdir(in_root(name), 0777), 0); }
static void make_link(const char *to, const char *name) {
  ck_assert_int_eq(symlink(to, in_root(name)), 0);
}

static void begin(void) {
  strcpy(root, "/tmp/test_walk_XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(root));
}
static void end(void) {
  char command[192];
  snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", root, root);
  ck_assert_int_eq(system(command), 0);
}

/* What a source finds, relative to root: "a.jpg b/c.png!" ("!": with an error of its own). */
static const char *find_all(char *const *operands, int n, const char *list, char list_end) {
  static photo_source source;
  found_photo found;
  size_t used = 0;
  seen[0] = '\0';
  ck_assert_int_eq(photo_source_open(&source, operands, n, list, list_end, &error), CAM_OK);
  while (!photo_source_next(&source, &found, &error) && found.path) {
    const char *path = found.path;
    if (!strncmp(path, root, strlen(root)) && path[strlen(root)])
      path += strlen(root) + 1;
    used += (size_t)snprintf(seen + used, sizeof seen - used, "%s%s%s", used ? " " : "", path,
                             found.error.code ? "!" : "");
    free(found.path);
  }
  ck_assert_int_eq(error.code, CAM_OK);
  photo_source_close(&source);
  return seen;
}
static const char *find_in(const char *folder) {
  return find_all((char *[]){(char *)folder}, 1, NULL, '\n');
}

START_TEST(order_of_paths) {
  make_folder("a");
  make_folder("a/deep");
  make_file("a/z.jpg", "");
  make_file("a/deep/1.png", "");
  make_file("a.jpg", "");
  make_file("a-b.jpg", "");
  make_file("a0.webp", "");
  make_file("B.JPEG", "");
  ck_assert_str_eq(find_in(root), "B.JPEG a-b.jpg a.jpg a/deep/1.png a/z.jpg a0.webp");
}
END_TEST

START_TEST(what_is_no_photo) {
  make_file("cat.jpg", "");
  make_file("cat.cam.png", "");
  make_file("cat.cam.heat.jpg", "");
  make_file("cat.cam.heat.png", "");
  make_file("cat.heat.cam.png", "");
  make_file(".hidden.jpg", "");
  make_file("cat.txt", "");
  make_file("jpg", "");
  make_file("cat.jpg.part", "");
  make_folder(".git");
  make_file(".git/x.png", "");
  make_folder("folder.jpg");
  ck_assert_int_eq(mkfifo(in_root("pipe.png"), 0666), 0);
  ck_assert_str_eq(find_in(root), "cat.jpg");
}
END_TEST

START_TEST(links) {
  make_folder("a");
  make_file("a/1.jpg", "");
  make_link("..", "a/up");
  make_link(".", "a/itself");
  make_link("a", "b");
  make_link("nowhere", "dead.jpg");
  make_link("nowhere", "dead");
  make_link("loop.jpg", "loop.jpg");
  make_link("a/1.jpg", "other.jpg");
  ck_assert_str_eq(find_in(root), "a/1.jpg b/1.jpg dead.jpg loop.jpg other.jpg");
}
END_TEST

START_TEST(folder_that_cannot_be_read) {
  make_folder("a");
  make_file("b.jpg", "");
  ck_assert_int_eq(chmod(in_root("a"), 0), 0);
  if (geteuid()) /* root reads it all the same */
    ck_assert_str_eq(find_in(root), "a/! b.jpg");
  ck_assert_str_eq(find_in("/nonexistent"), "/nonexistent");
  struct walk *walk = walk_open("/nonexistent");
  size_t below;
  ck_assert_str_eq(walk_next(walk, &below, &error), "/nonexistent/");
  ck_assert_int_eq(error.code, CAM_E_IO);
  ck_assert_ptr_null(walk_next(walk, &below, &error));
  ck_assert_int_eq(error.code, CAM_OK);
  walk_close(walk);
}
END_TEST

START_TEST(deep_folders) {
  char path[4096];
  strcpy(path, root);
  for (int i = 0; i < 500; i++) {
    strcat(path, "/d");
    ck_assert_int_eq(mkdir(path, 0777), 0);
  }
  strcat(path, "/x.jpg");
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  fclose(file);
  ck_assert_str_eq(find_in(root), path + strlen(root) + 1);
}
END_TEST

START_TEST(operands) {
  make_folder("empty");
  make_file("1.jpg", "");
  char *const many[] = {"x.cam.png", root, "-", "y.txt"};
  ck_assert_str_eq(find_all(many, 4, NULL, '\n'), "1.jpg - y.txt");
  ck_assert_str_eq(find_all((char *[]){"x.cam.png"}, 1, NULL, '\n'), "x.cam.png");
  char empty[80];
  snprintf(empty, sizeof empty, "%s/empty", root);
  ck_assert_str_eq(find_in(empty), "empty!");
}
END_TEST

static const char *find_listed(const char *text, size_t n, char list_end) {
  char path[80];
  snprintf(path, sizeof path, "%s/list", root);
  FILE *file = fopen(path, "w");
  ck_assert_uint_eq(fwrite(text, 1, n, file), n);
  fclose(file);
  return find_all(NULL, 0, path, list_end);
}

START_TEST(lists) {
  ck_assert_str_eq(find_listed("", 0, '\n'), "");
  ck_assert_str_eq(find_listed("a\nb", 3, '\n'), "a b");
  ck_assert_str_eq(find_listed("\n\na b\n\n-\n", 9, '\n'), "a b -");
  ck_assert_str_eq(find_listed("a\nb\0c\0", 6, '\0'), "a\nb c");
  ck_assert_str_eq(find_listed("a\0b\nc\n", 6, '\n'), "a! c");
}
END_TEST

START_TEST(long_lists) {
  enum { N = 3 * PATH_LIST_ROOM };
  char *text = malloc(N);
  memset(text, 'x', N);
  text[PATH_LIST_MAX] = '\n';                     /* as long as is allowed */
  text[2 * PATH_LIST_MAX + 2] = '\n';             /* a byte more */
  memcpy(text + PATH_LIST_ROOM - 2, "\nyy\n", 4); /* across the end of what is read at once */
  text[N - 2] = '\n';
  char path[80];
  snprintf(path, sizeof path, "%s/list", root);
  FILE *file = fopen(path, "w");
  ck_assert_uint_eq(fwrite(text, 1, N, file), N);
  fclose(file);
  static path_list list;
  static char out[PATH_LIST_MAX + 1];
  cam_error bad;
  ck_assert_int_eq(path_list_open(&list, path, '\n', &error), CAM_OK);
  static const size_t lengths[] = {
      PATH_LIST_MAX, PATH_LIST_MAX, PATH_LIST_MAX, 2, PATH_LIST_MAX, 1};
  static const bool wrong[] = {false, true, true, false, true, false};
  for (int i = 0; i < 6; i++) {
    ck_assert(path_list_next(&list, out, &bad, &error));
    ck_assert_uint_eq(strlen(out), lengths[i]);
    ck_assert_int_eq(bad.code != CAM_OK, wrong[i]);
  }
  ck_assert(!path_list_next(&list, out, &bad, &error));
  path_list_close(&list);
  free(text);
}
END_TEST

Suite *walk_suite(void);
Suite *walk_suite(void) {
  Suite *suite = suite_create("walk");
  TCase *tcase = tcase_create("walk");
  tcase_add_checked_fixture(tcase, begin, end);
  tcase_add_test(tcase, order_of_paths);
  tcase_add_test(tcase, what_is_no_photo);
  tcase_add_test(tcase, links);
  tcase_add_test(tcase, folder_that_cannot_be_read);
  tcase_add_test(tcase, deep_folders);
  tcase_add_test(tcase, operands);
  tcase_add_test(tcase, lists);
  tcase_add_test(tcase, long_lists);
  suite_add_tcase(suite, tcase);
  return suite;
}
