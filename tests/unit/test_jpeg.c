/* test_jpeg.c - what jpeg_encode writes, jpeg_decode reads: near to the picture, grey and in
 * colour, at odd sizes; the same bytes each time. */
#include "codec/jpeg.h"
#include <check.h>
#include <limits.h>
#include <stdlib.h>

typedef enum pattern { SMOOTH, NOISE, WHITE } pattern;

static uint8_t *made(pattern kind, int width, int height, int channels) {
  size_t n = (size_t)(width * height * channels);
  uint8_t *pixels = malloc(n);
  uint32_t x = 2463534242;
  for (size_t i = 0; i < n; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    int column = (int)(i / (size_t)channels) % width, row = (int)(i / (size_t)channels) / width,
        c = (int)i % channels;
    pixels[i] = kind == WHITE   ? 255
                : kind == NOISE ? (uint8_t)(x >> 8)
                                : (uint8_t)(40 + 150 * column / width + 40 * row / height + 10 * c);
  }
  return pixels;
}

static cam_bytes encoded(const uint8_t *pixels, int width, int height, int channels) {
  cam_bytes file;
  const pixel_rows rows = pixel_rows_of(pixels, width, height, channels);
  ck_assert_int_eq(jpeg_encode(&rows, &file, NULL), CAM_OK);
  ck_assert_mem_eq(file.data, "\xff\xd8\xff", 3);
  ck_assert_mem_eq(file.data + file.size - 2, "\xff\xd9", 2);
  return file;
}

/* What the probe says of what jpeg_encode writes. */
static jpeg_shape shape_of(int width, int height, int channels) {
  return (jpeg_shape){.width = width,
                      .height = height,
                      .components = channels,
                      .across = {channels == 1 ? 1 : 2, 1, 1},
                      .down = {channels == 1 ? 1 : 2, 1, 1}};
}

static cam_code decode(const cam_bytes *file, const jpeg_shape *shape, size_t budget,
                       double deadline, jpeg_picture *picture, cam_error *error) {
  return jpeg_decode(file->data, file->size, shape, INT_MAX, INT_MAX, budget, deadline, picture,
                     error);
}

/* Mean difference of what is read back. */
static double read_back(const cam_bytes *file, const uint8_t *pixels, int width, int height,
                        int channels) {
  const jpeg_shape shape = shape_of(width, height, channels);
  jpeg_picture image;
  cam_error error = {0};
  long sum = 0;
  ck_assert_msg(!decode(file, &shape, SIZE_MAX, 0, &image, &error), "%s", error.detail);
  ck_assert(image.width == width && image.height == height);
  for (int i = 0; i < width * height; i++)
    for (int c = 0; c < 3; c++)
      sum += abs(image.pixels[3 * i + c] - pixels[channels * i + (channels == 3 ? c : 0)]);
  jpeg_picture_free(&image);
  return (double)sum / (3.0 * width * height);
}

START_TEST(is_near_to_the_picture) {
  static const int sizes[][2] = {{1, 1},   {2, 1},   {7, 5},   {16, 16},
                                 {17, 31}, {512, 3}, {1, 300}, {333, 222}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int channels = 1; channels <= 3; channels += 2)
      for (int kind = SMOOTH; kind <= WHITE; kind++) {
        int width = sizes[s][0], height = sizes[s][1];
        uint8_t *pixels = made((pattern)kind, width, height, channels);
        cam_bytes file = encoded(pixels, width, height, channels),
                  again = encoded(pixels, width, height, channels);
        ck_assert_uint_eq(file.size, again.size);
        ck_assert_mem_eq(file.data, again.data, file.size);
        double difference = read_back(&file, pixels, width, height, channels),
               most = kind == WHITE    ? 0
                      : kind == SMOOTH ? 3
                      : channels == 1  ? 6
                                       : 80;
        ck_assert_msg(difference <= most, "%d x %d x %d, pattern %d: %g", width, height, channels,
                      kind, difference);
        free(file.data);
        free(again.data);
        free(pixels);
      }
}
END_TEST

START_TEST(noise_outgrows_the_first_room) {
  uint8_t *pixels = made(NOISE, 400, 300, 1);
  cam_bytes file = encoded(pixels, 400, 300, 1);
  ck_assert_uint_gt(file.size, 400 * 300 / 4 + 4096);
  ck_assert_double_le(read_back(&file, pixels, 400, 300, 1), 6);
  free(file.data);
  free(pixels);
}
END_TEST

START_TEST(sides_have_a_limit) {
  uint8_t *pixels = made(WHITE, 65501, 1, 1);
  cam_error error = {0};
  cam_bytes file = {pixels, 1};
  const pixel_rows rows = pixel_rows_of(pixels, 65501, 1, 1);
  ck_assert_int_eq(jpeg_encode(&rows, &file, &error), CAM_E_PIXELS);
  ck_assert_str_eq(error.detail, "a JPEG of 65501 x 1 pixels; a side may have 65500");
  ck_assert(!file.data && !file.size);
  file = encoded(pixels, 1, 65500, 1);
  free(file.data);
  free(pixels);
}
END_TEST

START_TEST(memory_is_bounded) { /* several scans are held as coefficients: 2 bytes each beside the
                                   pixels */
  uint8_t *pixels = made(SMOOTH, 333, 222, 3);
  cam_bytes file = encoded(pixels, 333, 222, 3);
  jpeg_shape shape = shape_of(333, 222, 3);
  jpeg_picture image;
  cam_error error;
  size_t result;
  const size_t work = jpeg_work_bytes(&shape, INT_MAX, INT_MAX, &result);
  ck_assert_uint_eq(result, 3 * 333 * 222);
  ck_assert_uint_lt(work, result + 200000);
  ck_assert_int_eq(decode(&file, &shape, work - 1, 0, &image, &error), CAM_E_BUDGET);
  ck_assert_ptr_null(image.pixels);
  ck_assert_int_eq(decode(&file, &shape, work, 0, &image, &error), CAM_OK);
  jpeg_picture_free(&image);
  const size_t less = jpeg_work_bytes(&shape, 100, 60, &result); /* at 1/2 */
  ck_assert_uint_eq(result, 3 * 167 * 111);
  ck_assert_int_eq(jpeg_decode(file.data, file.size, &shape, 100, 60, less, 0, &image, &error),
                   CAM_OK);
  ck_assert(image.width == 167 && image.height == 111);
  jpeg_picture_free(&image);
  ck_assert_int_eq(decode(&file, &shape, SIZE_MAX, 1e-3, &image, &error),
                   CAM_E_DEADLINE); /* long ago */
  ck_assert_ptr_null(image.pixels);
  ck_assert_int_eq(decode(&file, &shape, SIZE_MAX, 1e300, &image, &error), CAM_OK);
  jpeg_picture_free(&image);
  shape.width = 334; /* not what was probed */
  ck_assert_int_eq(decode(&file, &shape, SIZE_MAX, 0, &image, &error), CAM_E_PHOTO);
  free(file.data);
  free(pixels);
}
END_TEST

Suite *jpeg_suite(void);
Suite *jpeg_suite(void) {
  Suite *suite = suite_create("jpeg");
  TCase *tcase = tcase_create("jpeg");
  tcase_add_test(tcase, is_near_to_the_picture);
  tcase_add_test(tcase, noise_outgrows_the_first_room);
  tcase_add_test(tcase, sides_have_a_limit);
  tcase_add_test(tcase, memory_is_bounded);
  suite_add_tcase(suite, tcase);
  return suite;
}
