/* test_work.c - what photo_work_bytes says before decoding bounds what decoding then holds,
 * measured by the sanitizers' allocator (without a sanitizer the photos are only decoded), for
 * every kind of photo and at the edges, where rows are padded most. */
#include "cam_minmax.h"
#include "codec/jpeg.h"
#include "photo/decode.h"
#include "photo_fixtures.h"
#include <check.h>
#include <limits.h>
#include <stdlib.h>

enum { FIXTURES = sizeof photo_fixtures / sizeof *photo_fixtures };

/* sanitizer/allocator_interface.h; NULL where there is none. */
typedef void on_malloc_hook(const volatile void *p, size_t n);
typedef void on_free_hook(const volatile void *p);
__attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(on_malloc_hook *on_malloc,
                                                                    on_free_hook *on_free);
__attribute__((weak)) size_t __sanitizer_get_allocated_size(const volatile void *p);

static struct {
  bool on;
  size_t now, most;
} held;
static void on_malloc(const volatile void *p, size_t n) {
  if (!held.on || !p)
    return;
  held.now += n;
  held.most = max_size(held.most, held.now);
}
static void on_free(const volatile void *p) {
  if (held.on && p)
    held.now -= __sanitizer_get_allocated_size(p);
}

static void decode_within_its_bound(const char *name, const uint8_t *bytes, size_t n, int least) {
  static const cam_limits limits = {64000000, 65535, SIZE_MAX / 2, 100, 0, 0};
  cam_photo photo;
  cam_error error = {0};
  ck_assert_msg(!photo_probe(bytes, n, &limits, &photo, &error), "%s: %s", name, error.detail);
  const size_t bound = photo_work_bytes(&photo, least, least, NULL);
  held.now = held.most = 0;
  held.on = true;
  cam_code code = photo_decode(bytes, n, &limits, least, least, &photo, &error);
  held.on = false;
  ck_assert_msg(!code, "%s: %s", name, error.detail);
  size_t moved = 0; /* glibc gives room back where a block is; the sanitizers move it */
  if (photo.plan.channels == 4)
    moved = 3 * (size_t)photo.plan.width * (size_t)photo.plan.height + 4;
  ck_assert_msg(held.most <= bound + moved, "%s: holds %zu, said %zu", name, held.most, bound);
  image_free(&photo.image);
}

static void watch(void) {
  if (__sanitizer_install_malloc_and_free_hooks)
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

START_TEST(every_kind) {
  watch();
  for (int i = 0; i < FIXTURES; i++) {
    const photo_fixture *f = &photo_fixtures[i];
    decode_within_its_bound(f->name, f->bytes, f->n, INT_MAX);
    decode_within_its_bound(f->name, f->bytes, f->n, 1);
  }
}
END_TEST

START_TEST(narrow_and_flat_jpegs) {
  static const int others[] = {1, 7, 8, 17, 500, 20000};
  const int side = _i;
  watch();
  for (size_t i = 0; i < 2 * sizeof others / sizeof *others; i++)
    for (int channels = 1; channels <= 3; channels += 2) {
      const int other = others[i / 2], width = i % 2 ? other : side, height = i % 2 ? side : other;
      uint8_t *pixels = malloc((size_t)(width * height * channels));
      for (int p = 0; p < width * height * channels; p++)
        pixels[p] = (uint8_t)(p * 37);
      cam_bytes file;
      const pixel_rows rows = pixel_rows_of(pixels, width, height, channels);
      ck_assert_int_eq(jpeg_encode(&rows, &file, NULL), CAM_OK);
      char name[64];
      snprintf(name, sizeof name, "%d x %d x %d", width, height, channels);
      decode_within_its_bound(name, file.data, file.size, INT_MAX);
      decode_within_its_bound(name, file.data, file.size, 1);
      free(file.data);
      free(pixels);
    }
}
END_TEST

START_TEST(the_largest_photo_fits_the_default) {
  /* 64 million pixels of the kinds that take most, as the formula has it. */
  const int side = 8000;
  size_t pixels, most = 0;
  for (int components = 3; components <= 4; components++) {
    jpeg_shape shape = {.width = side, .height = side, .components = components};
    shape.several_scans = true;
    shape.profile_bytes = 4 << 20;
    for (int c = 0; c < components; c++)
      shape.across[c] = shape.down[c] = 1;
    most = max_size(most, jpeg_work_bytes(&shape, INT_MAX, INT_MAX, &pixels));
  }
  ck_assert_int_ge(cam_default_limits.max_pixels, (int64_t)side * side);
  ck_assert_uint_le(most, cam_default_limits.decode_bytes);
}
END_TEST

Suite *work_suite(void);
Suite *work_suite(void) {
  Suite *suite = suite_create("work");
  TCase *tcase = tcase_create("work");
  tcase_set_tags(tcase, "alone");
  tcase_add_test(tcase, every_kind);
  tcase_add_loop_test(tcase, narrow_and_flat_jpegs, 1, 17);
  tcase_add_test(tcase, the_largest_photo_fits_the_default);
  suite_add_tcase(suite, tcase);
  return suite;
}
