/* probe_png.c - walks the chunks of a PNG without inflating it. W3C PNG (Third Edition) 5 and 11.
 * Flow: formats -> [probe] -> decode_stb. Thread: any. Allocates nothing. Accepted although untidy:
 * bytes after IEND, a missing IEND, a palette shorter than its indices (black). A wrong checksum is
 * refused where the chunk changes pixels, as libpng and the browsers do for critical ones
 * (stb_image looks at none, and a damaged picture would pass for a whole one); where it says which
 * way up the picture is, that is not believed. */
#include "cam_minmax.h"
#include "codec/deflate.h"
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

typedef struct png {
  const cam_limits *limits;
  photo_plan *plan;
  cam_error *error;
  const uint8_t *bytes;
  bool headed, data, ended;
  int depth, colour;
  int palette; /* entries */
} png;

#define BROKEN(...) cam_fail(p->error, CAM_E_PHOTO, "broken PNG: " __VA_ARGS__)

/* ---- One function a chunk: at is where its length stands, content[0..n) what it holds ---- */

static cam_code read_header(png *p, size_t at, const uint8_t *content, size_t n) {
  (void)at;
  static const struct {
    uint8_t colour, depths;
  } allowed[] = {
      /* depths: their sum */
      {GREY, 1 + 2 + 4 + 8 + 16}, {RGB, 8 + 16},       {PALETTE, 1 + 2 + 4 + 8},
      {GREY_ALPHA, 8 + 16},       {RGB_ALPHA, 8 + 16},
  };
  if (p->headed)
    return BROKEN("two IHDR chunks");
  if (n != 13)
    return BROKEN("IHDR of %zu bytes", n);
  cam_code code = plan_size(p->plan, be32(content), be32(content + 4), p->limits, p->error);
  if (code)
    return code;
  p->headed = true;
  p->depth = content[8];
  p->colour = content[9];
  bool ok = false;
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
    ok |= p->colour == allowed[i].colour && p->depth && !(p->depth & (p->depth - 1)) &&
          (p->depth & allowed[i].depths);
  if (!ok)
    return BROKEN("colour type %d with %d bits", p->colour, p->depth);
  if (content[10] || content[11] || content[12] > 1)
    return BROKEN("compression %d, filter %d, interlace %d", content[10], content[11], content[12]);
  if (p->colour & 4)
    p->plan->channels = 4;
  return CAM_OK;
}

static cam_code read_palette(png *p, size_t at, const uint8_t *content, size_t n) {
  if (!n || n % 3 || n > 3 * 256 || p->palette)
    return BROKEN("bad palette of %zu bytes", n);
  p->palette = (int)n / 3;
  if (p->colour != PALETTE)
    return CAM_OK;
  const size_t whole = 3u << p->depth;
  if (n >= whole)
    return CAM_OK;
  uint8_t *chunk = plan_patch(p->plan, at, CHUNK + n,
                              CHUNK + whole); /* stb reads past a short one; it looks at no CRC */
  memset(chunk, 0, CHUNK + whole);
  chunk[2] = (uint8_t)(whole >> 8);
  chunk[3] = (uint8_t)whole;
  memcpy(chunk + 4, "PLTE", 4);
  memcpy(chunk + 8, content, n);
  return CAM_OK;
}

static cam_code read_transparency(png *p, size_t at, const uint8_t *content, size_t n) {
  (void)at;
  (void)content;
  (void)n;
  p->plan->channels = 4;
  return CAM_OK;
}

static cam_code read_data(png *p, size_t at, const uint8_t *content, size_t n) {
  (void)at;
  (void)content;
  (void)n;
  if (p->colour == PALETTE && !p->palette)
    return BROKEN("no palette");
  p->data = true;
  return CAM_OK;
}

static cam_code read_end(png *p, size_t at, const uint8_t *content, size_t n) {
  (void)at;
  (void)content;
  (void)n;
  p->ended = true;
  return CAM_OK;
}

static cam_code refuse_apple(png *p, size_t at, const uint8_t *content, size_t n) {
  (void)at;
  (void)content;
  (void)n;
  return cam_fail(p->error, CAM_E_FORMAT,
                  "PNG in Apple's own variant (CgBI), which is not supported");
}

static cam_code read_exif(png *p, size_t at, const uint8_t *content, size_t n) {
  (void)at;
  if (!p->plan->orientation)
    p->plan->orientation = exif_of_tiff(content, n);
  return CAM_OK;
}

static const struct {
  char name[5];
  cam_code (*read)(png *p, size_t at, const uint8_t *content, size_t n);
} chunks[] = {
    {"CgBI", refuse_apple},      {"IHDR", read_header}, {"PLTE", read_palette},
    {"tRNS", read_transparency}, {"IDAT", read_data},   {"IEND", read_end},
    {"eXIf", read_exif},
};

static bool is_intact(const uint8_t *name, size_t n) {
  return deflate_crc32(name, 4 + n) == be32(name + 4 + n);
}

static cam_code read_chunk(png *p, size_t at, const uint8_t *name, size_t n) {
  for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
    if (memcmp(name, chunks[i].name, 4))
      continue;
    if (i > 1 && !p->headed)
      return BROKEN("no IHDR at its start");
    if (is_intact(name, n))
      return chunks[i].read(p, at, name + 4, n);
    if (chunks[i].read == read_exif)
      return CAM_OK;
    return BROKEN("wrong checksum of %s", chunks[i].name);
  }
  if (!p->headed)
    return BROKEN("no IHDR at its start");
  if (!(name[0] & 0x20))
    return BROKEN("unknown critical chunk %.4s", (const char *)name);
  return CAM_OK;
}

cam_code probe_png(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                   cam_error *error) {
  png state = {.limits = limits, .plan = plan, .error = error, .bytes = bytes}, *p = &state;
  if (n < SIGNATURE || memcmp(bytes, "\x89PNG\r\n\x1a\n", SIGNATURE))
    return BROKEN("bad signature (sent as text?)");
  plan->channels = 3;
  size_t at = SIGNATURE;
  while (!p->ended && n - at >= CHUNK) {
    size_t length = be32(bytes + at);
    if (length > n - at - CHUNK)
      break;
    cam_code code = read_chunk(p, at, bytes + at + 4, length);
    if (code)
      return code;
    at += CHUNK + length;
  }
  bool in_data = !p->ended && n - at >= 8 && !memcmp(bytes + at + 4, "IDAT", 4);
  if (!p->headed || !p->data || in_data)
    return BROKEN("cut short at byte %zu", n);
  if (!p->ended)
    memcpy(plan_patch(plan, at, n - at, CHUNK), "\0\0\0\0IEND\xae\x42\x60\x82", CHUNK);
  /* What the data inflates to is said nowhere. An honest picture needs, at once, the file twice
   * (buffers double) and at most 32 bytes a pixel. */
  uint64_t honest = (1u << 20) + 4 * (uint64_t)n + 32 * (uint64_t)plan->width * plan->height;
  plan->budget = min_size(honest, limits->decode_bytes);
  return CAM_OK;
}
