/* test_photoset_split.c - parts by hashes: as many as the share says, whatever the order of photos;
 * copies on one side; copies told by the worst that they are. */
#include "cli/photoset_split.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static photoset set;
static cam_error error;
static char *names[] = {(char[]){"ant"}, (char[]){"bee"}, (char[]){"cow"}};

static void begin(void) {
  set = (photoset){.classes = names, .n_classes = 3};
  set.photos = calloc(200, sizeof *set.photos);
}
static void end(void) { free(set.photos); }

static void add(int class_index, int picture) {
  labelled_photo *photo = &set.photos[set.n++];
  *photo = (labelled_photo){.class_index = class_index};
  snprintf(photo->hash, sizeof photo->hash, "%04x", (unsigned)(picture * 40503 & 0xffff));
}

static int in_val(int class_index) { return photoset_count(&set, class_index, PART_VAL); }

START_TEST(a_share_of_each_class) {
  for (int i = 0; i < 100; i++)
    add(0, i);
  for (int i = 0; i < 7; i++)
    add(1, 100 + i);
  add(2, 200);
  add(2, 201);
  ck_assert_int_eq(photoset_split(&set, 0.2, &error), CAM_OK);
  ck_assert_int_eq(in_val(0), 20);
  ck_assert_int_eq(in_val(1), 1);
  ck_assert_int_eq(in_val(2), 1);
  ck_assert_int_eq(photoset_count(&set, -1, PART_TRAIN), set.n - 22);
}
END_TEST

START_TEST(order_does_not_matter) {
  bool val[50];
  for (int i = 0; i < 50; i++)
    add(i % 2, i);
  ck_assert_int_eq(photoset_split(&set, 0.3, &error), CAM_OK);
  for (int i = 0; i < 50; i++)
    val[i] = set.photos[i].part == PART_VAL;
  set.n = 0;
  for (int i = 49; i >= 0; i--)
    add(i % 2, i);
  ck_assert_int_eq(photoset_split(&set, 0.3, &error), CAM_OK);
  for (int i = 0; i < 50; i++)
    ck_assert_int_eq(val[i], set.photos[49 - i].part == PART_VAL);
}
END_TEST

START_TEST(copies_stay_together) {
  for (int i = 0; i < 20; i++)
    add(0, i / 7); /* three pictures, of which the first that come are all to validate with */
  ck_assert_int_eq(photoset_split(&set, 0.1, &error), CAM_OK);
  for (int i = 0; i < 20; i++)
    for (int k = 0; k < 20; k++)
      if (!strcmp(set.photos[i].hash, set.photos[k].hash))
        ck_assert_int_eq(set.photos[i].part, set.photos[k].part);
  ck_assert(in_val(0) >= 6 && in_val(0) <= 7);
}
END_TEST

START_TEST(what_cannot_be_split) {
  add(0, 1);
  ck_assert_int_eq(photoset_split(&set, 0.2, &error), CAM_E_BODY);
  ck_assert_ptr_nonnull(strstr(error.detail, "class \"ant\" has one photo"));
  add(0, 1);
  ck_assert_int_eq(photoset_split(&set, 0.2, &error), CAM_E_BODY);
  ck_assert_ptr_nonnull(strstr(error.detail, "its 2 photos are one picture"));
}
END_TEST

START_TEST(what_is_left_out_or_given_stays) {
  for (int i = 0; i < 10; i++)
    add(0, i);
  set.photos[0].error.code = CAM_E_PHOTO;
  set.photos[1].part = PART_TRAIN;
  set.photos[2].part = PART_VAL;
  ck_assert_int_eq(photoset_split(&set, 0.9, &error), CAM_OK);
  ck_assert_int_eq(set.photos[0].part, PART_OPEN);
  ck_assert_int_eq(set.photos[1].part, PART_TRAIN);
  ck_assert_int_eq(in_val(0), 7); /* 6 of 7, and the one that was given */
}
END_TEST

START_TEST(copies_are_told_by_the_worst) {
  int n;
  add(0, 1);
  add(0, 2);
  add(1, 1);
  add(0, 1);
  add(1, 3);
  add(1, 3);
  add(2, 4);
  add(2, 4);
  for (int i = 0; i < set.n; i++)
    set.photos[i].part = PART_TRAIN;
  set.photos[5].part = PART_VAL;
  photo_double *doubles = photoset_doubles(&set, &n);
  const photo_double expected[] = {
      {DOUBLE_CLASSES, 0, 2}, {DOUBLE_PARTS, 4, 5}, {DOUBLE_TWICE, 6, 7}};
  ck_assert_int_eq(n, 3);
  for (int i = 0; i < n; i++) {
    ck_assert_int_eq(doubles[i].kind, expected[i].kind);
    ck_assert_int_eq(doubles[i].first, expected[i].first);
    ck_assert_int_eq(doubles[i].second, expected[i].second);
  }
  free(doubles);
}
END_TEST

Suite *photoset_split_suite(void);
Suite *photoset_split_suite(void) {
  Suite *suite = suite_create("photoset_split");
  TCase *parts = tcase_create("parts");
  tcase_add_checked_fixture(parts, begin, end);
  tcase_add_test(parts, a_share_of_each_class);
  tcase_add_test(parts, order_does_not_matter);
  tcase_add_test(parts, copies_stay_together);
  tcase_add_test(parts, what_cannot_be_split);
  tcase_add_test(parts, what_is_left_out_or_given_stays);
  tcase_add_test(parts, copies_are_told_by_the_worst);
  suite_add_tcase(suite, parts);
  return suite;
}
