/* test_resize.c - scaled pictures are Pillow's to the bit: every odd shape, enlarged, shrunk, one
 * side kept, far beyond any photo; on each instruction set that this processor has. */
#include "photo/resize.h"
#include "photo/resize_rows.h"
#include "resize_fixtures.h"
#include <check.h>
#include <string.h>

/* Noise, half of it black or white so that sums leave 0..255; the generator is in
 * make_photo_fixtures.py too. */
static void make(uint8_t *bytes, size_t n) {
  uint32_t x = 2463534242u;
  for (size_t i = 0; i < n; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    bytes[i] = x & 1 ? (uint8_t)(x >> 8) : (x >> 1 & 1) * 255;
  }
}

static uint64_t fnv1a(const uint8_t *bytes, size_t n) {
  uint64_t h = 0xcbf29ce484222325;
  for (size_t i = 0; i < n; i++)
    h = (h ^ bytes[i]) * 0x100000001b3;
  return h;
}

START_TEST(is_pillows) {
  cam_image in, out;
  cam_error error;
  ck_assert(image_alloc(&in, resize_fixtures[_i].width, resize_fixtures[_i].height));
  make(in.rgb, (size_t)in.width * in.height * 3);
  for (const resize_rows *const *rows = resize_rows_here(); *rows; rows++) {
    const int width = resize_fixtures[_i].to_width, height = resize_fixtures[_i].to_height;
    ck_assert_int_eq(resize_by(*rows, &in, width, height, &out, &error), CAM_OK);
    ck_assert_int_eq(out.width, width);
    ck_assert_int_eq(out.height, height);
    ck_assert_msg(fnv1a(out.rgb, (size_t)width * height * 3) == resize_fixtures[_i].hash,
                  "%d x %d to %d x %d", in.width, in.height, width, height);
    image_free(&out);
  }
  image_free(&in);
}
END_TEST

START_TEST(says_when_memory_is_short) {
  uint8_t pixel[3 + 4] = {1, 2, 3};
  const cam_image in = {1, 1, pixel};
  cam_image out;
  cam_error error;
  const int32_t huge = 2000000000; /* 12 * 10^18 bytes: no address space has that */
  ck_assert_int_eq(resize_bicubic(&in, huge, huge, &out, &error), CAM_E_NO_MEMORY);
  ck_assert_str_eq(error.detail, "no memory to scale 1 x 1 pixels to 2000000000 x 2000000000");
  ck_assert_ptr_null(out.rgb);
}
END_TEST

START_TEST(images_know_their_limits) {
  cam_image image;
  ck_assert(!image_alloc(&image, 0, 1));
  ck_assert(!image_alloc(&image, 1, -1));
  ck_assert(!image_alloc(&image, 2147483647, 2147483647));
  ck_assert_ptr_null(image.rgb);
  image_free(&image); /* an empty one */
  ck_assert(image_alloc(&image, 3, 2));
  memset(image.rgb, 1, 3 * 2 * 3 + 4);
  image_free(&image);
  ck_assert_ptr_null(image.rgb);
}
END_TEST

Suite *resize_suite(void);
Suite *resize_suite(void) {
  Suite *suite = suite_create("resize");
  TCase *tcase = tcase_create("resize");
  tcase_add_loop_test(tcase, is_pillows, 0, sizeof resize_fixtures / sizeof *resize_fixtures);
  tcase_add_test(tcase, says_when_memory_is_short);
  tcase_add_test(tcase, images_know_their_limits);
  suite_add_tcase(suite, tcase);
  return suite;
}
