/* target_photo.c - any bytes as a photo: magic bytes, probe, EXIF, decode, turn upright. The last
 * byte chooses limits and how small the picture may be, so that an input is still a photo for other
 * programs. Decoded twice, with memory that held other bytes before: what differs was never
 * written, and would show what an earlier request left there. The decoders' memory is counted
 * against what they were allowed. */
#include "fuzz.h"
#include "photo/decode.h"
#include "photo/exif.h"
#include <endian.h>
#include <limits.h>
#include <string.h>

enum {
  ALLOWANCE = 32 << 10, /* the budget's small blocks, which are always given */
  MOST_FILLED =
      1 << 16 /* larger blocks, of a calloc, come from the system and are trusted to be 0 */
};

/* The sanitizers' allocator tells of each block: sanitizer/allocator_interface.h. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *p);

static struct {
  bool on;
  uint8_t fill;
  size_t now, most;
} watch;
static void on_malloc(const volatile void *p, size_t n) {
  if (!watch.on || !p)
    return;
  watch.now += n;
  if (watch.now > watch.most)
    watch.most = watch.now;
  if (n <= MOST_FILLED)
    memset((void *)(uintptr_t)p, watch.fill, n);
}
static void on_free(const volatile void *p) {
  if (watch.on && p)
    watch.now -= __sanitizer_get_allocated_size(p);
}

static cam_code decode(const uint8_t *bytes, size_t n, const cam_limits *limits, int least,
                       uint8_t fill, cam_photo *photo, cam_error *error) {
  memset(&watch, 0, sizeof watch);
  watch.fill = fill;
  watch.on = true;
  cam_code code = photo_decode(bytes, n, limits, least, least, photo, error);
  watch.on = false;
  size_t moved = 0; /* where four bytes a pixel become three the sanitizers move the block */
  if (photo->plan.channels == 4)
    moved = 3 * (size_t)photo->width * (size_t)photo->height + ALLOWANCE;
  const size_t said = photo_work_bytes(photo, least, least, NULL);
  PROMISE(watch.most <= limits->decode_bytes + ALLOWANCE + moved);
  PROMISE(watch.most <= said + ALLOWANCE + moved);
  return code;
}

static void run(const uint8_t *bytes, size_t n) {
  static const cam_limits limits[] = {
      {.max_pixels = 1 << 16, .max_side = 16384, .decode_bytes = 32 << 20, .max_scans = 12},
      {.max_pixels = 1 << 14, .max_side = 1024, .decode_bytes = 256 << 10, .max_scans = 12},
      {.max_pixels = 1 << 14, .max_side = 1024, .decode_bytes = 96 << 10, .max_scans = 12},
      {.max_pixels = 1 << 11, .max_side = 100, .decode_bytes = 8 << 10, .max_scans = 2},
  };
  static const int least[] = {INT_MAX, 1, 20, 60};
  static bool hooked;
  if (!hooked)
    hooked = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
  if (!n)
    return;
  const unsigned choice = bytes[--n], smallest = (unsigned)least[choice / 4 % 4];
  const cam_limits *allowed = &limits[choice % 4];
  const int orientation = exif_orientation(bytes, n);
  PROMISE(orientation >= 1 && orientation <= 8);

  cam_photo photo, again;
  cam_error error = {0}, error_again = {0};
  cam_code code = photo_probe(bytes, n, allowed, &photo, &error);
  PROMISE(code == error.code &&
          (code || (int64_t)photo.width * photo.height <= allowed->max_pixels));
  if (code)
    return;
  again = photo;
  code = decode(bytes, n, allowed, (int)smallest, 0, &photo, &error);
  PROMISE(decode(bytes, n, allowed, (int)smallest, 0xff, &again, &error_again) == code &&
          !strcmp(error.detail, error_again.detail));
  PROMISE(code == error.code && !code == !!photo.image.rgb && code != CAM_E_INTERNAL &&
          code != CAM_E_NO_MEMORY);
  if (!code) {
    const int shrink = (photo.width + photo.image.width - 1) / photo.image.width;
    PROMISE(photo.image.width == again.image.width && photo.image.height == again.image.height);
    PROMISE(!memcmp(photo.image.rgb, again.image.rgb,
                    3 * (size_t)photo.image.width * (size_t)photo.image.height));
    PROMISE(shrink <= 8 && (shrink == 1 || (photo.image.width >= (int)smallest &&
                                            photo.image.height >= (int)smallest)));
  }
  image_free(&photo.image);
  image_free(&again.image);
}

/* libFuzzer's own mutations; in a PNG the checksums of its chunks follow. */
static size_t mutate(uint8_t *bytes, size_t n, size_t most, uint64_t random) {
  (void)random;
  n = fuzz_mutate_bytes(bytes, n, most);
  if (n < 8 || memcmp(bytes, "\x89PNG", 4))
    return n;
  for (size_t at = 8; n - at >= 12;) {
    const size_t length = be32(bytes + at);
    if (length > n - at - 12)
      break;
    const uint32_t crc = htobe32(fuzz_crc32(bytes + at + 4, 4 + length));
    memcpy(bytes + at + 8 + length, &crc, sizeof crc);
    at += 12 + length;
  }
  return n;
}

const fuzz_target fuzz_photo = {run, mutate};
