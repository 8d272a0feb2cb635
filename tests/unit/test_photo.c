/* test_photo.c - photos of every kind give Pillow's pixels; cut, lying and hostile ones a clear
 * word and nothing else. */
#include "codec/deflate.h"
#include "photo/decode.h"
#include "photo_fixtures.h"
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIXTURES = sizeof photo_fixtures / sizeof *photo_fixtures };
static const cam_limits limits = {50000000, 32768, 512u << 20, 100, 0, 0};

/* Decodes from memory of exactly that size, so that a sanitizer sees a byte too many. */
static cam_code decode_least(const void *bytes, size_t n, int least_width, int least_height,
                             const cam_limits *within, cam_photo *photo, cam_error *error) {
  uint8_t *exact = malloc(n ? n : 1);
  memcpy(exact, bytes, n);
  *error = (cam_error){0};
  cam_code code = photo_probe(exact, n, within, photo, error);
  if (!code)
    code = photo_decode(exact, n, within, least_width, least_height, photo, error);
  free(exact);
  if (code) {
    ck_assert_ptr_null(photo->image.rgb);
    ck_assert_int_eq(error->code, code);
    ck_assert_int_ne(error->detail[0], 0);
  }
  return code;
}

static cam_code decode(const void *bytes, size_t n, const cam_limits *within, cam_photo *photo,
                       cam_error *error) {
  return decode_least(bytes, n, INT_MAX, INT_MAX, within, photo, error);
}

static const photo_fixture *named(const char *name) {
  for (int i = 0; i < FIXTURES; i++)
    if (!strcmp(photo_fixtures[i].name, name))
      return &photo_fixtures[i];
  ck_abort_msg("no fixture %s", name);
}

static void same_pixels(const photo_fixture *f, const cam_photo *photo) {
  ck_assert_msg(photo->image.width == f->width && photo->image.height == f->height, "%s: %d x %d",
                f->name, photo->image.width, photo->image.height);
  for (int i = 0; i < f->width * f->height * 3; i++)
    ck_assert_msg(abs(photo->image.rgb[i] - f->rgb[i]) <= f->tolerance,
                  "%s: component %d is %d, not %d", f->name, i, photo->image.rgb[i], f->rgb[i]);
}

static uint32_t big(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Makes the checksums of a PNG right again. */
static void mend(uint8_t *file, size_t n) {
  for (size_t at = 8; at + 12 <= n;) {
    size_t length = big(file + at);
    if (length > n - at - 12)
      return;
    uint32_t crc = deflate_crc32(file + at + 4, 4 + length);
    for (int i = 0; i < 4; i++)
      file[at + 8 + length + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    at += 12 + length;
  }
}

static cam_code decode_damaged(const photo_fixture *f, size_t at, const void *with, size_t n,
                               bool mended, cam_error *error) {
  uint8_t *copy = malloc(f->n);
  memcpy(copy, f->bytes, f->n);
  memcpy(copy + at, with, n);
  if (mended && f->format == CAM_PNG)
    mend(copy, f->n);
  cam_photo photo;
  cam_code code = decode(copy, f->n, &limits, &photo, error);
  if (!code)
    image_free(&photo.image);
  free(copy);
  return code;
}

/* Decodes a changed copy: n bytes at `at` replaced, and a PNG's checksums made right again. */
static cam_code decode_changed(const photo_fixture *f, size_t at, const void *with, size_t n,
                               cam_error *error) {
  return decode_damaged(f, at, with, n, true, error);
}

static size_t find(const photo_fixture *f, const char *bytes, size_t n) {
  const uint8_t *at = memmem(f->bytes, f->n, bytes, n);
  ck_assert_ptr_nonnull(at);
  return at - f->bytes;
}

START_TEST(gives_the_pixels) {
  const photo_fixture *f = &photo_fixtures[_i];
  cam_photo photo;
  cam_error error;
  ck_assert_msg(!decode(f->bytes, f->n, &limits, &photo, &error), "%s: %s", f->name, error.detail);
  ck_assert_int_eq(photo.format, f->format);
  ck_assert_int_eq(photo.orientation, f->orientation);
  same_pixels(f, &photo);
  volatile uint8_t last =
      photo.image.rgb[f->width * f->height * 3 +
                      3]; /* what cam_image promises to be readable, for the sanitizer */
  (void)last;
  image_free(&photo.image);
}
END_TEST

START_TEST(gives_the_pixels_of_a_smaller_one) {
  for (size_t i = 0; i < sizeof shrunk_fixtures / sizeof *shrunk_fixtures; i++) {
    const photo_fixture *f = named(shrunk_fixtures[i].name);
    int width = shrunk_fixtures[i].width, height = shrunk_fixtures[i].height;
    cam_photo photo;
    cam_error error;
    ck_assert(!decode_least(f->bytes, f->n, width, height, &limits, &photo, &error));
    ck_assert_msg(photo.image.width == width && photo.image.height == height, "%s: %d x %d",
                  f->name, photo.image.width, photo.image.height);
    ck_assert_int_eq(photo.width, f->width);
    ck_assert_int_eq(photo.height, f->height);
    ck_assert_mem_eq(photo.image.rgb, shrunk_fixtures[i].rgb, (size_t)(3 * width * height));
    image_free(&photo.image);
  }
}
END_TEST

START_TEST(is_never_smaller_than_asked) {
  const struct {
    const char *name;
    int least_width, least_height, width, height;
  } wishes[] = {
      {"jpeg 4:4:4", 1, 1, 3, 2},
      {"jpeg 4:4:4", 3, 2, 3, 2},
      {"jpeg 4:4:4", 4, 2, 6, 4},
      {"jpeg 4:4:4", 3, 3, 6, 4},
      {"jpeg 4:4:4", 6, 5, 11, 7},
      {"jpeg 4:4:4", 12, 1, 21, 13},
      {"jpeg 4:4:4", 21, 13, 21, 13},
      {"jpeg 4:4:4", 22, 1, 21, 13},
      {"jpeg II orientation 3", 2, 2, 3, 2},
      {"jpeg II orientation 6", 2, 3, 2, 3},
      {"jpeg II orientation 6", 3, 2, 3, 5}, /* stored as 9 x 5 */
      {"png RGB 8", 1, 1, 7, 5},
      {"bmp 24", 1, 1, 7, 5},
  };
  for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
    const photo_fixture *f = named(wishes[i].name);
    cam_photo photo;
    cam_error error;
    ck_assert(!decode_least(f->bytes, f->n, wishes[i].least_width, wishes[i].least_height, &limits,
                            &photo, &error));
    ck_assert_msg(photo.image.width == wishes[i].width && photo.image.height == wishes[i].height,
                  "%zu: %d x %d", i, photo.image.width, photo.image.height);
    ck_assert(photo.width == f->width && photo.height == f->height);
    image_free(&photo.image);
  }
}
END_TEST

static void half_a_photo_is_broken(const photo_fixture *f) {
  cam_photo photo;
  cam_error error;
  ck_assert_msg(decode(f->bytes, f->n / 2, &limits, &photo, &error) == CAM_E_PHOTO, "%s: %s",
                f->name, error.detail);
}

static void bytes_after_the_end_do_no_harm(const photo_fixture *f) {
  if (!strcmp(f->name, "png no IEND"))
    f = named("png RGB 8"); /* it has no end to be after */
  uint8_t *longer = malloc(f->n + 64);
  memcpy(longer, f->bytes, f->n);
  memset(longer + f->n, 0xff, 64);
  cam_photo photo;
  cam_error error;
  ck_assert_msg(!decode(longer, f->n + 64, &limits, &photo, &error), "%s: %s", f->name,
                error.detail);
  same_pixels(f, &photo);
  image_free(&photo.image);
  free(longer);
}

static void any_damaged_byte_is_survived(
    const photo_fixture *f) { /* under the sanitizers this says more */
  cam_error error;
  for (size_t at = 0; at < f->n; at++)
    for (int change = 0; change < 4; change++) {
      uint8_t byte = (uint8_t[]){0, 0xff, f->bytes[at] ^ 1, f->bytes[at] ^ 0x80}[change];
      cam_code code = decode_changed(f, at, &byte, 1, &error);
      bool expected = code == CAM_OK || code == CAM_E_PHOTO || code == CAM_E_FORMAT ||
                      code == CAM_E_PIXELS || code == CAM_E_BUDGET;
      ck_assert_msg(expected, "%s: byte %zu: %s", f->name, at, cam_code_name(code));
    }
}

static void (*const of_each[])(const photo_fixture *f) = {
    half_a_photo_is_broken, bytes_after_the_end_do_no_harm, any_damaged_byte_is_survived};
START_TEST(each_photo) {
  for (int i = 0; i < FIXTURES; i++)
    of_each[_i](&photo_fixtures[i]);
}
END_TEST

START_TEST(sizes_are_checked_before_any_memory) {
  cam_error error;
  const photo_fixture *f = named("jpeg 4:4:4");
  size_t at = find(f, "\xff\xc0", 2) + 5;
  ck_assert_int_eq(decode_changed(f, at, "\xfa\xfa\xfa\xfa", 4, &error), CAM_E_PIXELS);
  ck_assert_str_eq(error.detail, "64250 x 64250 = 4128062500 pixels; allowed are 50000000");
  ck_assert_int_eq(decode_changed(f, at, "\0\1\x9c\x40", 4, &error), CAM_E_PIXELS);
  ck_assert_str_eq(error.detail, "40000 x 1 pixels; a side may have 32768");
  ck_assert_int_eq(decode_changed(f, at + 2, "\0\0", 2, &error), CAM_E_PHOTO);
  ck_assert_int_eq(decode_changed(f, at - 1, "\x0c", 1, &error), CAM_E_FORMAT);
  ck_assert_str_eq(error.detail, "JPEG with 12 bits a sample; supported are 8");

  f = named("png RGB 8");
  ck_assert_int_eq(decode_changed(f, 16, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, &error),
                   CAM_E_PIXELS);
  ck_assert_str_eq(error.detail,
                   "4294967295 x 4294967295 = 18446744065119617025 pixels; allowed are 50000000");
  ck_assert_int_eq(decode_changed(f, 16, "\0\0\0\0", 4, &error), CAM_E_PHOTO);

  f = named("bmp 24");
  ck_assert_int_eq(decode_changed(f, 18, "\xff\xff\xff\x7f\0\0\0\x80", 8, &error), CAM_E_PIXELS);
  ck_assert_str_eq(error.detail,
                   "2147483647 x 2147483648 = 4611686016279904256 pixels; allowed are 50000000");
  ck_assert_int_eq(decode_changed(f, 18, "\xff\xff\xff\xff", 4, &error), CAM_E_PHOTO);
  ck_assert_int_eq(decode_changed(f, 18, "\x10\x27\0\0", 4, &error),
                   CAM_E_PHOTO); /* 10,000 wide: more than there is */
}
END_TEST

START_TEST(limits_hold) {
  cam_photo photo;
  cam_error error;
  const photo_fixture *f = named("jpeg progressive"); /* 10 scans */
  ck_assert_int_eq(
      decode(f->bytes, f->n, &(cam_limits){50000000, 32768, 512u << 20, 9, 0, 0}, &photo, &error),
      CAM_E_BUDGET);
  ck_assert_str_eq(error.detail, "more than 9 scans; allowed are 9");
  ck_assert_int_eq(
      decode(f->bytes, f->n, &(cam_limits){21 * 13, 21, 512u << 20, 10, 0, 0}, &photo, &error),
      CAM_OK);
  image_free(&photo.image);
  ck_assert_int_eq(
      decode(f->bytes, f->n, &(cam_limits){21 * 13 - 1, 21, 512u << 20, 10, 0, 0}, &photo, &error),
      CAM_E_PIXELS);
  ck_assert_int_eq(
      decode(f->bytes, f->n, &(cam_limits){21 * 13, 20, 512u << 20, 10, 0, 0}, &photo, &error),
      CAM_E_PIXELS);
  for (int i = 0; i < FIXTURES; i++) {
    ck_assert_int_eq(decode(photo_fixtures[i].bytes, photo_fixtures[i].n,
                            &(cam_limits){50000000, 32768, 100, 100, 0, 0}, &photo, &error),
                     CAM_E_BUDGET);
    ck_assert_ptr_nonnull(strstr(error.detail, "allowed are 100"));
  }
  ck_assert_int_eq(decode(png_bomb, sizeof png_bomb, &limits, &photo, &error),
                   CAM_OK); /* its one pixel; what else is in it is not inflated */
  image_free(&photo.image);
  ck_assert_int_eq(decode(f->bytes, f->n, &limits, &photo, &error),
                   CAM_OK); /* what was refused left nothing behind */
  image_free(&photo.image);
}
END_TEST

START_TEST(any_budget_is_kept) { /* from nothing to enough: refused in a word or done */
  cam_photo photo;
  cam_error error;
  for (int i = 0; i < FIXTURES; i++)
    for (size_t bytes = 0; bytes < 6000; bytes += bytes < 1500 ? 5 : 150) {
      cam_code code = decode(photo_fixtures[i].bytes, photo_fixtures[i].n,
                             &(cam_limits){50000000, 32768, bytes, 100, 0, 0}, &photo, &error);
      ck_assert_msg(code == CAM_OK || code == CAM_E_BUDGET, "%s with %zu: %s",
                    photo_fixtures[i].name, bytes, error.detail);
      if (!code)
        image_free(&photo.image);
    }
}
END_TEST

START_TEST(a_jpeg_without_its_data_is_broken) {
  cam_photo photo;
  cam_error error;
  const photo_fixture *f = named("jpeg of 35 blocks");
  size_t scan = find(f, "\xff\xda", 2), data = scan + 10;
  uint8_t copy[8192];
  const struct {
    size_t n;
    bool end;
    const char *says;
  } cuts[] = {
      {scan, true, "broken JPEG: no scan data"},
      {scan, false, "broken JPEG: no scan data"},
      {data, true, "broken JPEG: the scan data is cut short"},
      {data + (f->n - data) / 2, true, "broken JPEG: the scan data is cut short"},
      {data + (f->n - data) / 2, false, "broken JPEG: the scan data is cut short"},
      {f->n - 1, false, NULL},
      {f->n - 2, false, NULL}, /* the end marker alone is missing */
  };
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    memcpy(copy, f->bytes, cuts[i].n);
    if (cuts[i].end)
      memcpy(copy + cuts[i].n, "\xff\xd9", 2);
    cam_code code = decode(copy, cuts[i].n + 2 * cuts[i].end, &limits, &photo, &error);
    ck_assert_msg(code == (cuts[i].says ? CAM_E_PHOTO : CAM_OK), "cut %zu: %s", i, error.detail);
    if (cuts[i].says)
      ck_assert_str_eq(error.detail, cuts[i].says);
    else
      same_pixels(f, &photo), image_free(&photo.image);
  }

  f = named("jpeg restart markers");
  size_t half = find(f, "\xff\xd1", 2);
  memcpy(copy, f->bytes, half);
  memcpy(copy + half, "\xff\xd9", 2);
  ck_assert_int_eq(decode(copy, half + 2, &limits, &photo, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail,
                   "broken JPEG: Corrupt JPEG data: found marker 0xd9 instead of RST1");

  f = named("jpeg progressive");
  size_t second = find(f, "\xff\xda", 2) + 2;
  second += (const uint8_t *)memmem(f->bytes + second, f->n - second, "\xff\xda", 2) -
            (f->bytes + second);
  memcpy(copy, f->bytes, second);
  memcpy(copy + second, "\xff\xd9", 2);
  ck_assert_int_eq(decode(copy, second + 2, &limits, &photo, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken JPEG: nothing after its first scan: cut short");
  ck_assert_int_eq(decode(f->bytes, second, &limits, &photo, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken JPEG: cut short, no end-of-image marker");
}
END_TEST

START_TEST(a_jpeg_with_missing_tables_is_broken) {
  cam_error error;
  const photo_fixture *f = named("jpeg 4:4:4");
  size_t codes = find(f, "\xff\xc4", 2), quantizers = find(f, "\xff\xdb", 2),
         frame = find(f, "\xff\xc0", 2);
  ck_assert_int_eq(decode_changed(f, codes + 1, "\xfe", 1, &error),
                   CAM_E_PHOTO); /* a comment instead; its codes were not the standard ones */
  ck_assert_int_eq(decode_changed(f, quantizers + 1, "\xfe", 1, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken JPEG: Quantization table 0x00 was not defined");
  ck_assert_int_eq(decode_changed(f, codes + 5, "\xff\xff\xff", 3, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken JPEG: Bogus Huffman table definition");
  ck_assert_int_eq(decode_changed(f, frame + 1, "\xc9", 1, &error), CAM_E_FORMAT);
  ck_assert_int_eq(decode_changed(f, frame + 10, "\x77", 1, &error),
                   CAM_E_PHOTO); /* the first component has another name than its scan says */
}
END_TEST

START_TEST(a_png_of_unknown_parts_is_broken) {
  cam_error error;
  const photo_fixture *f = named("png RGB 8");
  size_t data = find(f, "IDAT", 4);
  ck_assert_int_eq(decode_changed(f, data, "XDAT", 4, &error), CAM_E_PHOTO);
  ck_assert_ptr_nonnull(strstr(error.detail, "broken PNG: cut short at byte "));
  ck_assert_int_eq(decode_changed(f, data, "xDAT", 4, &error),
                   CAM_E_PHOTO); /* one to be skipped; then there is no data */
  ck_assert_int_eq(decode_changed(f, 12, "CgBI", 4, &error), CAM_E_FORMAT);
  ck_assert_int_eq(decode_changed(f, 4, "\n\x1a", 2, &error), CAM_E_PHOTO);
  ck_assert_int_eq(decode_changed(f, 24, "\4", 1, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken PNG: colour type 2 with 4 bits");
  ck_assert_int_eq(decode_changed(f, data - 4, "\xff\xff\xff\xf0", 4, &error), CAM_E_PHOTO);
  ck_assert_int_eq(decode_changed(f, data + 6, "\0\0\0\0", 4, &error), CAM_E_PHOTO);
  f = named("png palette 4");
  ck_assert_int_eq(decode_changed(f, find(f, "PLTE", 4), "tEXt", 4, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken PNG: Missing PLTE before IDAT");
  ck_assert_int_eq(decode_changed(f, find(f, "PLTE", 4), "XLTE", 4, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken PNG: XLTE: unhandled critical chunk");
}
END_TEST

/* All its data and no end is a whole picture, whatever begins behind it. */
START_TEST(a_png_without_its_end_is_whole) {
  const photo_fixture *f = named("png RGB 8");
  const size_t end = find(f, "IEND", 4) - 4;
  uint8_t *copy = malloc(f->n);
  memcpy(copy, f->bytes, end);
  memcpy(copy + end, "\0\0\0\5IDAT", 8);
  for (size_t n = 0; n <= 8; n++) {
    cam_photo photo;
    cam_error error;
    const cam_code code = decode(copy, end + n, &limits, &photo, &error);
    ck_assert_msg(code == CAM_OK, "%zu bytes: %s", n, error.detail);
    same_pixels(f, &photo);
    image_free(&photo.image);
  }
  free(copy);
}
END_TEST

START_TEST(a_png_with_a_wrong_checksum_is_broken) {
  static const char *const names[] = {"IHDR", "PLTE", "IDAT"};
  const photo_fixture *f = named("png palette 4 with alpha");
  cam_error error;
  char want[64];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t at = find(f, names[i], 4);
    snprintf(want, sizeof want, "broken PNG: %s: CRC error", names[i]);
    for (int damage = 0; damage < 2; damage++) { /* of the checksum, of what it is about */
      size_t where = damage && big(f->bytes + at - 4) ? at + 4
                                                      : at + 4 + big(f->bytes + at - 4) + 3;
      uint8_t byte = f->bytes[where] ^ 1;
      ck_assert_int_eq(decode_damaged(f, where, &byte, 1, false, &error), CAM_E_PHOTO);
      ck_assert_str_eq(error.detail, want);
    }
  }
}
END_TEST

START_TEST(a_webp_says_what_is_wrong) {
  cam_error error;
  const photo_fixture *f = named("webp lossy");
  enum { CHUNK = 12, CONTENT = CHUNK + 8 };
  ck_assert_int_eq(decode_changed(f, 4, "\xff\xff\xff\xff", 4, &error), CAM_E_PHOTO);
  ck_assert_ptr_nonnull(strstr(error.detail, "broken WebP: cut short: "));
  ck_assert_int_eq(decode_changed(f, 4, "\0\0\0\0", 4, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken WebP: no picture in it");
  ck_assert_int_eq(decode_changed(f, CHUNK + 4, "\xff\xff\xff\xff", 4, &error), CAM_E_PHOTO);
  ck_assert_int_eq(decode_changed(f, CHUNK + 4, "\x09\0\0\0", 4, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken WebP: cut short in its header");
  ck_assert_int_eq(decode_changed(f, CHUNK, "VP9 ", 4, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken WebP: it begins with none of VP8, VP8L and VP8X");
  ck_assert_int_eq(decode_changed(f, CHUNK, "ALPH", 4, &error), CAM_E_PHOTO);
  ck_assert_int_eq(decode_changed(f, CONTENT, &(uint8_t){f->bytes[CONTENT] | 1}, 1, &error),
                   CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken WebP: no key frame");
  ck_assert_int_eq(decode_changed(f, CONTENT + 3, "\0", 1, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken WebP: no VP8 start code");
  ck_assert_int_eq(decode_changed(f, CONTENT + 6, "\xff\x3f\xff\x3f", 4, &error), CAM_E_PIXELS);
  ck_assert_str_eq(error.detail, "16383 x 16383 = 268402689 pixels; allowed are 50000000");
  ck_assert_int_eq(decode_changed(f, CONTENT + 6, "\0\0", 2, &error), CAM_E_PHOTO);
  ck_assert_int_eq(decode_changed(f, CONTENT + 6, "\xff\x0f", 2, &error),
                   CAM_E_PHOTO); /* 4095 wide: more than there is */
  f = named("webp lossless");
  ck_assert_int_eq(decode_changed(f, CONTENT, "\x2e", 1, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken WebP: no VP8L signature of version 0");
  ck_assert_int_eq(decode_changed(f, CONTENT + 1, "\xff\xff\xff\x0f", 4, &error), CAM_E_PIXELS);
  ck_assert_str_eq(error.detail, "16384 x 16384 = 268435456 pixels; allowed are 50000000");
  ck_assert_int_eq(decode_changed(f, CONTENT + 1, "\xff\x3f\0\0", 4, &error), CAM_E_PHOTO);
  f = named("webp orientation 1");
  ck_assert_int_eq(decode_changed(f, CONTENT, "\x0a", 1, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken WebP: no picture in it"); /* for it is in no frame */
  ck_assert_int_eq(decode_changed(f, CONTENT + 4, "\xff\xff\xff\xff\xff\xff", 6, &error),
                   CAM_E_PIXELS);
  ck_assert_str_eq(error.detail,
                   "16777216 x 16777216 = 281474976710656 pixels; allowed are 50000000");
  ck_assert_int_eq(decode_changed(f, CONTENT + 4, "\x09", 1, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken WebP: a picture of 9 x 5 on a canvas of 10 x 5 pixels");
  ck_assert_int_eq(decode_changed(f, CHUNK + 4, "\x0b", 1, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken WebP: VP8X chunk of 11 bytes");
}
END_TEST

START_TEST(what_a_webp_takes_is_counted) { /* fails where libwebp does not take its memory from
                                              decode_webp.c */
  cam_photo photo;
  cam_error error;
  const photo_fixture *f = named("webp lossless");
  size_t result = (size_t)(3 * f->width * f->height),
         least = result + (size_t)(4 * f->width * f->height); /* and what it decodes into */
  ck_assert_int_eq(
      decode(f->bytes, f->n, &(cam_limits){50000000, 32768, least, 100, 0, 0}, &photo, &error),
      CAM_E_BUDGET);
  ck_assert_int_eq(decode(f->bytes, f->n, &(cam_limits){50000000, 32768, least + 100000, 100, 0, 0},
                          &photo, &error),
                   CAM_OK);
  same_pixels(f, &photo);
  image_free(&photo.image);
}
END_TEST

START_TEST(a_bmp_says_what_is_wrong) {
  cam_error error;
  const photo_fixture *f = named("bmp 24");
  ck_assert_int_eq(decode_changed(f, 30, "\1", 1, &error), CAM_E_FORMAT);
  ck_assert_str_eq(error.detail,
                   "BMP with compression 1 (RLE8) at 24 bits, which is not supported");
  ck_assert_int_eq(decode_changed(f, 14, "\x29", 1, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken BMP: header of 41 bytes");
  ck_assert_int_eq(decode_changed(f, 28, "\x07", 1, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken BMP: 7 bits a pixel");
  ck_assert_int_eq(decode_changed(f, 10, "\xff\xff\xff\xff", 4, &error), CAM_E_PHOTO);
  ck_assert_int_eq(decode_changed(f, 10, "\0\0\0\0", 4, &error), CAM_E_PHOTO);
  f = named("bmp 565");
  ck_assert_int_eq(decode_changed(f, 54, "\0\0\0\0", 4, &error), CAM_E_PHOTO);
  ck_assert_str_eq(error.detail, "broken BMP: colour masks 0, 7e0, 1f, 0");
}
END_TEST

static const struct {
  const char *bytes;
  size_t n;
  const char *name;
} others[] = {
#define O(bytes, name) \
  { bytes, sizeof bytes - 1, name }
    O("GIF89a\1\0\1\0", "GIF"),
    O("RIFF\x10\0\0\0AVI LIST", "AVI video"),
    O("RIFF\x10\0\0\0WAVEfmt ", "WAVE audio"),
    O("RIFF\x10\0\0\0WEB", "unknown kind of file, its first bytes are 52 49 46 46 10 00 00 00"),
    O("\0\0\0\x18"
      "ftypheic\0\0\0\0",
      "HEIC"),
    O("\0\0\0\x18"
      "ftyphevc\0\0\0\0",
      "HEIC"),
    O("\0\0\0\x18"
      "ftypheix\0\0\0\0mif1heix",
      "HEIC"),
    O("\0\0\0\x1c"
      "ftypmsf1\0\0\0\0msf1hevcmif1",
      "HEIC"),
    O("\0\0\0\x1c"
      "ftypmif1\0\0\0\0mif1avifmiaf",
      "AVIF"),
    O("\0\0\0\x1c"
      "ftypmif1\0\0\0\0mif1miafMiHB",
      "HEIF"),
    O("\0\0\0\x14"
      "ftypmif1\0\0\0\0mif1heic",
      "HEIF"),
    O("\xff\xff\xff\xff"
      "ftypavis\0\0\0\0avis",
      "AVIF"),
    O("\0\0\0\x18"
      "ftypmif1\0\0\0\0",
      "HEIF"),
    O("\0\0\0\x1c"
      "ftypavif\0\0\0\0",
      "AVIF"),
    O("\0\0\0\x1c"
      "ftypisom\0\0\0\0",
      "MP4 video"),
    O("II*\0\x08\0\0\0", "TIFF"),
    O("MM\0*\0\0\0\x08", "TIFF"),
    O("II+\0\x08\0\0\0", "BigTIFF"),
    O("MM\0+\0\x08\0\0", "BigTIFF"),
    O("%PDF-1.7\n", "PDF"),
    O("\r\n \0junk\xff\n%PDF-1.4\n", "PDF"),
    O("\xef\xbb\xbf%PDF-1.4\n", "PDF"),
    O("\0\0\1\0\1\0", "ICO"),
    O("8BPS\0\1", "Photoshop (PSD)"),
    O("\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    O("\xff\x0a\1\2", "JPEG XL"),
    O("\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    O("\xff\x4f\xff\x51\0\x29", "JPEG 2000"),
    O("PK\3\4\x14\0", "ZIP"),
    O("PK\5\6\0\0", "ZIP"),
    O("\x1a\x45\xdf\xa3\1", "Matroska or WebM video"),
    O("\0\0\0\x14"
      "ftypqt  \0\0\0\0qt  ",
      "QuickTime video"),
    O("\0\0\0\x08wide\0\0", "QuickTime video"),
    O("qoif\0\0\0\1", "QOI"),
    O("P6\n1 1\n255\nabc", "PBM, PGM or PPM"),
    O("<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    O("\xef\xbb\xbf \r\n\t<?xml version=\"1.0\"?>\n<!-- made by hand -->\n<!DOCTYPE svg PUBLIC "
      "\"x\" \"y\">\n<svg>",
      "SVG"),
    O("<?xml version='1.0'?><?xml-stylesheet?><SVG>", "SVG"),
    O("<?xml version='1.0'?><kml>", "XML"),
    O("<?xml version='1.0'", "XML"),
    O("<!DOCTYPE html><html>", "HTML"),
    O("{\"image\": \"\"}", "JSON"),
    O("data:image/png;base64,iVBO", "a data: URI"),
    O("", "empty: 0 bytes"),
    O("/9j/4AAQSkZJRg", "JPEG as base64 text"),
    O("\xef\xbb\xbf\n<svg", "SVG"),
    O("  <!-- a\n--> <!DOCTYPE svg [<!ENTITY a \"b\">]><svg>", "SVG"),
    O("\n\t<html>", "HTML"),
    O("hello, this is text", "text"),
    O("hello\1", "unknown kind of file, its first bytes are 68 65 6c 6c 6f 01"),
    O("\0", "unknown kind of file, its first bytes are 00"),
#undef O
};
START_TEST(other_kinds_are_named) {
  cam_photo photo;
  cam_error error;
  char want[160];
  snprintf(want, sizeof want, "%s; supported are JPEG, PNG, WebP and BMP", others[_i].name);
  ck_assert_int_eq(decode(others[_i].bytes, others[_i].n, &limits, &photo, &error), CAM_E_FORMAT);
  ck_assert_str_eq(error.detail, want);
}
END_TEST

Suite *photo_suite(void);
Suite *photo_suite(void) {
  Suite *suite = suite_create("photo");
  TCase *tcase = tcase_create("photo");
  tcase_set_tags(tcase, "alone");
  tcase_add_loop_test(tcase, gives_the_pixels, 0, FIXTURES);
  tcase_add_test(tcase, gives_the_pixels_of_a_smaller_one);
  tcase_add_test(tcase, is_never_smaller_than_asked);
  tcase_add_loop_test(tcase, each_photo, 0, sizeof of_each / sizeof *of_each);
  tcase_add_test(tcase, sizes_are_checked_before_any_memory);
  tcase_add_test(tcase, limits_hold);
  tcase_add_test(tcase, any_budget_is_kept);
  tcase_add_test(tcase, a_jpeg_without_its_data_is_broken);
  tcase_add_test(tcase, a_jpeg_with_missing_tables_is_broken);
  tcase_add_test(tcase, a_png_of_unknown_parts_is_broken);
  tcase_add_test(tcase, a_png_with_a_wrong_checksum_is_broken);
  tcase_add_test(tcase, a_png_without_its_end_is_whole);
  tcase_add_test(tcase, a_webp_says_what_is_wrong);
  tcase_add_test(tcase, what_a_webp_takes_is_counted);
  tcase_add_test(tcase, a_bmp_says_what_is_wrong);
  tcase_add_loop_test(tcase, other_kinds_are_named, 0, sizeof others / sizeof *others);
  suite_add_tcase(suite, tcase);
  return suite;
}
