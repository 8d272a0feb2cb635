/* probe_png.c - walks the chunks of a PNG without inflating it. W3C PNG (Third Edition) 5 and 11.
 * Flow: formats -> [probe] -> decode_png. Thread: any. Allocates nothing. libpng finds what is
 * wrong inside a chunk. This file finds the size, what decoding takes, and where the pixels end; so
 * IEND, its checksum and whatever follows do not matter. It looks at one checksum, that of the
 * chunk that says which way up the picture is: if that is wrong, the chunk is not believed. */
#include "cam_minmax.h"
#include "codec/deflate.h"
#include "colour.h"
#include "exif.h"
#include "probe.h"
#include <string.h>

enum {
  SIGNATURE = 8,
  CHUNK = 12, /* length, name, CRC */
  GREY = 0,
  RGB = 2,
  PALETTE = 3,
  GREY_ALPHA = 4,
  RGB_ALPHA = 6
};
/* A profile that inflates to more than so many times its size is no honest one. */
enum { PROFILE_GROWTH = 32, PROFILE_LEAST = 64 << 10 };

typedef struct png {
  const cam_limits *limits;
  photo_plan *plan;
  cam_error *error;
  bool headed, ended;
} png;

#define BROKEN(...) cam_fail(p->error, CAM_E_PHOTO, "broken PNG: " __VA_ARGS__)

static bool is_kind(int colour, int depth) {
  static const struct {
    uint8_t colour, depths;
  } allowed[] = {
      /* depths: their sum */
      {GREY, 1 + 2 + 4 + 8 + 16}, {RGB, 8 + 16},       {PALETTE, 1 + 2 + 4 + 8},
      {GREY_ALPHA, 8 + 16},       {RGB_ALPHA, 8 + 16},
  };
  if (!depth || depth & (depth - 1))
    return false;
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
    if (colour == allowed[i].colour && depth & allowed[i].depths)
      return true;
  return false;
}

/* ---- One function a chunk: content[0..n) is what it holds ---- */

static bool is_intact(const uint8_t *content, size_t n) {
  return deflate_crc32(content - 4, 4 + n) == be32(content + n); /* its name counts */
}

static cam_code read_header(png *p, const uint8_t *content, size_t n) {
  if (p->headed)
    return BROKEN("two IHDR chunks");
  if (n != 13)
    return BROKEN("IHDR of %zu bytes", n);
  if (!is_intact(content, n))
    return BROKEN("IHDR: CRC error");
  p->headed = true;
  const int depth = content[8], colour = content[9];
  if (!is_kind(colour, depth))
    return BROKEN("colour type %d with %d bits", colour, depth);
  if (content[10] || content[11] || content[12] > 1)
    return BROKEN("compression %d, filter %d, interlace %d", content[10], content[11], content[12]);
  if (colour & 4)
    p->plan->channels = 4;
  p->plan->png.passes = content[12] ? 7 : 1;
  return plan_size(p->plan, be32(content), be32(content + 4), p->limits, p->error);
}

static cam_code read_transparency(png *p, const uint8_t *content, size_t n) {
  (void)content;
  (void)n;
  p->plan->channels = 4;
  return CAM_OK;
}

static cam_code read_end(png *p, const uint8_t *content, size_t n) {
  (void)content;
  (void)n;
  p->ended = true;
  return CAM_OK;
}

static cam_code refuse_apple(png *p, const uint8_t *content, size_t n) {
  (void)content;
  (void)n;
  return cam_fail(p->error, CAM_E_FORMAT,
                  "PNG in Apple's own variant (CgBI), which is not supported");
}

static cam_code read_iccp(png *p, const uint8_t *content, size_t n) {
  (void)content;
  png_plan *plan = &p->plan->png;
  plan->has_profile = true;
  /* what inflates to more is ignored by libpng, as it would be here */
  plan->profile_bytes = min_size(PROFILE_GROWTH * n + PROFILE_LEAST, COLOUR_MOST_PROFILE);
  plan->most_chunk = max_size(plan->most_chunk, plan->profile_bytes);
  return CAM_OK;
}

static cam_code read_gamma(png *p, const uint8_t *content, size_t n) {
  (void)content;
  (void)n;
  p->plan->png.has_gamma = true;
  return CAM_OK;
}

static cam_code read_exif(png *p, const uint8_t *content, size_t n) {
  if (is_intact(content, n) && !p->plan->orientation)
    p->plan->orientation = exif_of_tiff(content, n);
  return CAM_OK;
}

static const struct {
  char name[5];
  cam_code (*read)(png *p, const uint8_t *content, size_t n);
} chunks[] = {
    {"CgBI", refuse_apple}, {"IHDR", read_header}, {"tRNS", read_transparency}, {"iCCP", read_iccp},
    {"gAMA", read_gamma},   {"eXIf", read_exif},   {"IEND", read_end},
};

static cam_code read_chunk(png *p, const uint8_t *name, size_t n) {
  for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
    if (memcmp(name, chunks[i].name, 4))
      continue;
    if (i > 1 && !p->headed)
      break;
    return chunks[i].read(p, name + 4, n);
  }
  if (!p->headed)
    return BROKEN("no IHDR at its start");
  return CAM_OK;
}

/* The last chunk of pixels may be cut: whether all pixels are there, decoding tells. */
static cam_code walk_chunks(png *p, const uint8_t *bytes, size_t n) {
  png_plan *plan = &p->plan->png;
  size_t at = SIGNATURE;
  while (!p->ended && n - at >= 8) {
    const size_t length = be32(bytes + at), room = n - at - 8;
    const bool pixels = !memcmp(bytes + at + 4, "IDAT", 4), whole = room >= 4 && length <= room - 4;
    if (pixels)
      plan->end = whole ? at + CHUNK + length : n;
    else
      plan->most_chunk = max_size(plan->most_chunk, min_size(length, n));
    if (!whole)
      return CAM_OK;
    cam_code code = read_chunk(p, bytes + at + 4, length);
    if (code)
      return code;
    at += CHUNK + length;
  }
  return CAM_OK;
}

cam_code probe_png(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                   cam_error *error) {
  png state = {.limits = limits, .plan = plan, .error = error}, *p = &state;
  if (n < SIGNATURE || memcmp(bytes, "\x89PNG\r\n\x1a\n", SIGNATURE))
    return BROKEN("bad signature (sent as text?)");
  plan->channels = 3;
  plan->png.most_chunk = 1 << 10;
  cam_code code = walk_chunks(p, bytes, n);
  if (code)
    return code;
  if (!p->headed || !plan->png.end)
    return BROKEN("cut short at byte %zu", n);
  return CAM_OK;
}
