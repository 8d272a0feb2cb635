/* test_exif.c - the orientation among other segments, in both byte orders, and every kind of
 * damage: 1, and no byte read outside. */
#include "photo/exif.h"
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct file {
  uint8_t bytes[512];
  size_t n;
} file;

static void put(file *f, const void *bytes, size_t n) {
  memcpy(f->bytes + f->n, bytes, n);
  f->n += n;
}
#define PUT(f, text) put(f, text, sizeof text - 1)
static void number(file *f, bool big, int bytes, uint32_t value) {
  for (int i = 0; i < bytes; i++)
    f->bytes[f->n++] = (uint8_t)(value >> 8 * (big ? bytes - 1 - i : i));
}

typedef struct tag {
  uint32_t tag, type, count, value;
} tag;

/* A JPEG of markers only: APP0, XMP in an APP1 of its own, the Exif segment with IFD0 at `ifd`, a
 * scan. */
static file jpeg(bool big, uint32_t ifd, const tag *tags, uint32_t n_tags, uint32_t says_tags,
                 uint32_t next) {
  file f = {.n = 0};
  PUT(&f, "\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xff\xe1\0\x1fhttp://ns.adobe.com/xap/"
          "1.0/\0\xff\xe1");
  size_t start = f.n;
  f.n += 2;
  PUT(&f, "Exif\0\0");
  put(&f, big ? "MM" : "II", 2);
  number(&f, big, 2, 42);
  number(&f, big, 4, ifd);
  number(&f, big, 2, says_tags);
  for (uint32_t i = 0; i < n_tags; i++) {
    number(&f, big, 2, tags[i].tag);
    number(&f, big, 2, tags[i].type);
    number(&f, big, 4, tags[i].count);
    number(&f, big, 2, tags[i].value);
    number(&f, big, 2, 0);
  }
  number(&f, big, 4, next);
  f.bytes[start] = (uint8_t)((f.n - start) >> 8);
  f.bytes[start + 1] = (uint8_t)(f.n - start);
  PUT(&f, "\xff\xda\0\x08\1\1\0\0\x3f\0");
  return f;
}

/* Reads from memory of exactly that size, so that a sanitizer sees a byte too many. */
static int read_back(const file *f, size_t n) {
  uint8_t *exact = malloc(n ? n : 1);
  memcpy(exact, f->bytes, n);
  int orientation = exif_orientation(exact, n);
  free(exact);
  return orientation;
}

START_TEST(finds_each_value_in_both_byte_orders) {
  for (int big = 0; big < 2; big++) {
    const tag tags[] = {{0x010f, 2, 4, 65}, {0x0112, 3, 1, _i}, {0x011a, 5, 1, 26}};
    file f = jpeg(big, 8, tags, 3, 3, 0);
    ck_assert_int_eq(read_back(&f, f.n), _i);
    for (size_t n = 0; n < f.n; n++) { /* cut anywhere: the value, or 1 */
      int orientation = read_back(&f, n);
      ck_assert(orientation == 1 || orientation == _i);
    }
  }
}
END_TEST

START_TEST(damage_means_upright) {
  static const struct {
    const char *what;
    uint32_t ifd;
    tag tag;
    uint32_t says_tags, next;
  } cases[] = {
      {"value 0", 8, {0x0112, 3, 1, 0}, 1, 0},
      {"value 9", 8, {0x0112, 3, 1, 9}, 1, 0},
      {"value 0x600", 8, {0x0112, 3, 1, 0x600}, 1, 0},
      {"a text", 8, {0x0112, 2, 1, 6}, 1, 0},
      {"two values", 8, {0x0112, 3, 2, 6}, 1, 0},
      {"no tags", 8, {0x0112, 3, 1, 6}, 0, 0},
      {"another tag", 8, {0x0113, 3, 1, 6}, 1, 0},
      {"another tag, says 65535, loops to itself", 8, {0x0113, 3, 1, 6}, 65535, 8},
      {"directory far outside", 0xfffffff0, {0x0112, 3, 1, 6}, 1, 0},
      {"directory at the end", 26, {0x0112, 3, 1, 6}, 1, 0},
      {"directory at its own header", 0, {0x0112, 3, 1, 6}, 1, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int big = 0; big < 2; big++) {
      file f = jpeg(big, cases[i].ifd, &cases[i].tag, 1, cases[i].says_tags, cases[i].next);
      ck_assert_msg(read_back(&f, f.n) == 1, "%s", cases[i].what);
    }
}
END_TEST

START_TEST(a_loop_does_not_hide_the_tag) {
  const tag right = {0x0112, 3, 1, 6};
  file f = jpeg(true, 8, &right, 1, 65535,
                8); /* the next directory is this one, and it says more entries than there are */
  ck_assert_int_eq(read_back(&f, f.n), 6);
}
END_TEST

START_TEST(reads_what_png_and_webp_hold) {
  const tag right = {0x0112, 3, 1, _i};
  for (int big = 0; big < 2; big++)
    for (int name = 0; name < 7; name += 6) { /* with and without Exif\0\0 before it */
      file f = jpeg(big, 8, &right, 1, 1, 0);
      const uint8_t *from = memmem(f.bytes, f.n, "Exif\0", 6);
      const size_t n = (size_t)(f.bytes + f.n - from) - 10;
      for (size_t cut = 0; cut <= n - (size_t)(6 - name); cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, from + 6 - name, cut);
        int orientation = exif_of_tiff(exact, cut);
        ck_assert(orientation == _i || (orientation == 1 && cut < n - (size_t)(6 - name)));
        free(exact);
      }
    }
}
END_TEST

START_TEST(the_byte_after_the_name_may_be_any) {
  const tag right = {0x0112, 3, 1, 6};
  static const uint8_t pads[] = {0, 1, ' ', 0xff};
  for (size_t i = 0; i < sizeof pads; i++) {
    file f = jpeg(i % 2, 8, &right, 1, 1, 0);
    uint8_t *name = memmem(f.bytes, f.n, "Exif", 5);
    name[5] = pads[i];
    ck_assert_int_eq(read_back(&f, f.n), 6);
    ck_assert_int_eq(exif_of_tiff(name, (size_t)(f.bytes + f.n - name)), 6);
    name[4] = 1; /* this one is part of the name */
    ck_assert_int_eq(read_back(&f, f.n), 1);
  }
}
END_TEST

START_TEST(anything_may_stand_between_segments) {
  static const struct {
    const char *bytes;
    size_t n;
  } junk[] = {{"\xff\0", 2}, {"\0\0abc", 5}, {"\xff\xff\xff", 3}, {"\xff\xd3\xff\1", 4}};
  const tag right = {0x0112, 3, 1, 6};
  const file f = jpeg(true, 8, &right, 1, 1, 0);
  for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
    file odd = {.n = 0};
    put(&odd, f.bytes, 2);
    put(&odd, junk[i].bytes, junk[i].n);
    put(&odd, f.bytes + 2, f.n - 2);
    ck_assert_int_eq(read_back(&odd, odd.n), 6);
  }
}
END_TEST

START_TEST(only_before_the_scan_and_only_in_exif) {
  const tag right = {0x0112, 3, 1, 6};
  file f = jpeg(false, 8, &right, 1, 1, 0), wrong = f;
  memcpy(memmem(wrong.bytes, wrong.n, "Exif", 4), "Exxf", 4);
  ck_assert_int_eq(read_back(&wrong, wrong.n), 1);
  file late = {.n = 0};
  PUT(&late, "\xff\xd8\xff\xda\0\x08\1\1\0\0\x3f\0");
  put(&late, f.bytes + 2, f.n - 2);
  ck_assert_int_eq(read_back(&late, late.n), 1);
  ck_assert_int_eq(exif_orientation((const uint8_t *)"\x89PNG\r\n", 6), 1);
}
END_TEST

Suite *exif_suite(void);
Suite *exif_suite(void) {
  Suite *suite = suite_create("exif");
  TCase *tcase = tcase_create("exif");
  tcase_add_loop_test(tcase, finds_each_value_in_both_byte_orders, 1, 9);
  tcase_add_test(tcase, damage_means_upright);
  tcase_add_test(tcase, a_loop_does_not_hide_the_tag);
  tcase_add_loop_test(tcase, reads_what_png_and_webp_hold, 1, 9);
  tcase_add_test(tcase, the_byte_after_the_name_may_be_any);
  tcase_add_test(tcase, anything_may_stand_between_segments);
  tcase_add_test(tcase, only_before_the_scan_and_only_in_exif);
  suite_add_tcase(suite, tcase);
  return suite;
}
