/* probe_bmp.c - reads the header of a BMP. Microsoft, "Bitmap Header Types"; [MS-WMF] 2.2.2.3.
 * Flow: formats -> [probe] -> decode_bmp. Thread: any. Allocates nothing. Accepted although untidy:
 * palettes shorter than their indices, gaps before the pixels, headers of 16 to 64 bytes.
 * Not supported: JPEG or PNG inside a BMP (for printers), OS/2's Huffman and RLE of 24 bits. */
#include "cam_minmax.h"
#include "probe.h"
#include <stdlib.h>
#include <string.h>

enum {
  FILE_HEADER = 14,
  CORE = 12,
  V1 = 40,
  V2 = 52,
  V3 = 56,
  V4 = 108,
  V5 = 124,
  BI_RGB = 0,
  BI_RLE8 = 1,
  BI_RLE4 = 2,
  BI_BITFIELDS = 3,
  BI_ALPHABITFIELDS = 6
};
static const char *const compressions[] = {
    "none", "RLE8", "RLE4", "bit fields", "JPEG", "PNG",       "bit fields",
    NULL,   NULL,   NULL,   NULL,         "CMYK", "CMYK RLE8", "CMYK RLE4",
};

typedef struct bmp {
  size_t header, offset; /* bytes of the information header; where the pixels begin */
  int64_t width, height; /* height < 0: top row first */
  uint32_t planes, bits, compression;
  uint32_t mask[4]; /* red, green, blue, alpha; 16 and 32 bits */
} bmp;

#define BROKEN(...) cam_fail(error, CAM_E_PHOTO, "broken BMP: " __VA_ARGS__)

static bool usable_mask(uint32_t mask) { /* one run of bits */
  if (!mask)
    return false;
  const uint32_t run = mask >> __builtin_ctz(mask);
  return !(run & (run + 1));
}

static cam_code read_masks(const uint8_t *bytes, size_t n, bmp *b, cam_error *error) {
  static const uint32_t usual[2][4] = {
      {31u << 10, 31u << 5, 31u, 0},
      {0xffu << 16, 0xffu << 8, 0xffu, 0}}; /* 16 and 32 bits; the fourth byte is not alpha */
  memcpy(b->mask, usual[b->bits == 32], sizeof b->mask);
  if (b->compression != BI_BITFIELDS && b->compression != BI_ALPHABITFIELDS)
    return CAM_OK;
  /* They stand behind a 40-byte header, within all longer ones. */
  const bool has_alpha = b->header >= V3 || b->compression == BI_ALPHABITFIELDS;
  const int masks = has_alpha ? 4 : 3;
  if (n < FILE_HEADER + V1 + 4u * masks)
    return BROKEN("cut short in its header");
  for (int i = 0; i < masks; i++)
    b->mask[i] = le32(bytes + FILE_HEADER + V1 + 4 * i);
  if (!usable_mask(b->mask[0]) || !usable_mask(b->mask[1]) || !usable_mask(b->mask[2]) ||
      (b->mask[3] && !usable_mask(b->mask[3])))
    return BROKEN("colour masks %x, %x, %x, %x", b->mask[0], b->mask[1], b->mask[2], b->mask[3]);
  return CAM_OK;
}

static bool has_masks(size_t header) {
  return header == V1 || header == V2 || header == V3 || header == V4 || header == V5;
}

static cam_code check_compression(const bmp *b, cam_error *error) {
  if (b->compression == BI_RGB)
    return CAM_OK;
  if ((b->compression == BI_BITFIELDS || b->compression == BI_ALPHABITFIELDS) &&
      (b->bits == 16 || b->bits == 32) && has_masks(b->header))
    return CAM_OK;
  if ((b->compression == BI_RLE8 && b->bits == 8) || (b->compression == BI_RLE4 && b->bits == 4))
    return CAM_OK;
  const char *name = NULL;
  if (b->compression < sizeof compressions / sizeof *compressions)
    name = compressions[b->compression];
  if (!name)
    name = "unknown";
  return cam_fail(error, CAM_E_FORMAT,
                  "BMP with compression %u (%s) at %u bits, which is not supported", b->compression,
                  name, b->bits);
}

/* OS/2's second kind may end after any of its fields; what it lacks is 0. */
static bool known_header(size_t bytes) {
  enum { OS2_LEAST = 16, OS2_MOST = 64 };
  return bytes == V4 || bytes == V5 || bytes == CORE ||
         (bytes >= OS2_LEAST && bytes <= OS2_MOST && bytes % 4 == 0);
}

static cam_code read_header_fields(const uint8_t *bytes, size_t n, bmp *b, cam_error *error) {
  if (n < FILE_HEADER + CORE)
    return BROKEN("cut short in its header");
  b->offset = le32(bytes + 10);
  b->header = le32(bytes + FILE_HEADER);
  if (!known_header(b->header))
    return BROKEN("header of %zu bytes", b->header);
  if (n < FILE_HEADER + b->header)
    return BROKEN("cut short in its header");
  uint8_t h[V1] = {0};
  memcpy(h, bytes + FILE_HEADER, min_size(b->header, sizeof h));
  if (b->header == CORE) {
    b->width = le16(h + 4);
    b->height = le16(h + 6);
    b->planes = le16(h + 8);
    b->bits = le16(h + 10);
    return CAM_OK;
  }
  b->width = (int32_t)le32(h + 4);
  b->height = (int32_t)le32(h + 8);
  b->planes = le16(h + 12);
  b->bits = le16(h + 14);
  b->compression = le32(h + 16);
  return CAM_OK;
}

static cam_code read_header(const uint8_t *bytes, size_t n, bmp *b, cam_error *error) {
  cam_code code = read_header_fields(bytes, n, b, error);
  if (!code)
    code = check_compression(b, error);
  if (code)
    return code;
  if (b->bits != 1 && b->bits != 4 && b->bits != 8 && b->bits != 16 && b->bits != 24 &&
      b->bits != 32)
    return BROKEN("%u bits a pixel", b->bits);
  if (b->planes != 1)
    return BROKEN("%u planes", b->planes);
  return read_masks(bytes, n, b, error);
}

/* Rows without compression must all be there; the padding of the last may be missing. */
static cam_code check_rows(const bmp *b, const photo_plan *plan, size_t n, cam_error *error) {
  const uint64_t row = ((uint64_t)b->width * b->bits + 7) / 8, stride = (row + 3) / 4 * 4,
                 size = stride * (uint64_t)(plan->height - 1) + row;
  if (b->offset > n || size > n - b->offset)
    return BROKEN("cut short: %zu bytes, needs %llu", n, (unsigned long long)(b->offset + size));
  return CAM_OK;
}

cam_code probe_bmp(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                   cam_error *error) {
  bmp b = {0};
  cam_code code = read_header(bytes, n, &b, error);
  if (!code)
    code = plan_size(plan, b.width, llabs(b.height), limits, error);
  if (code)
    return code;
  bmp_plan *out = &plan->bmp;
  out->run_length = b.compression == BI_RLE8 || b.compression == BI_RLE4;
  out->top_down = b.height < 0;
  if (out->run_length && out->top_down)
    return BROKEN("runs from the top");
  if (out->run_length && b.offset > n)
    return BROKEN("cut short: %zu bytes, pixels at byte %zu", n, b.offset);
  if (!out->run_length)
    code = check_rows(&b, plan, n, error);
  if (code)
    return code;
  const size_t palette_at = FILE_HEADER + b.header;
  if (b.offset < palette_at)
    return BROKEN("pixels at byte %zu, inside its header", b.offset);
  out->entry = b.header == CORE ? 3 : 4;
  if (b.bits <= 8) {
    const size_t entries = (b.offset - palette_at) / (size_t)out->entry;
    if (!entries)
      return BROKEN("no palette");
    out->palette = (photo_span){palette_at, min_size(entries, 1u << b.bits)};
  }
  out->pixels = b.offset;
  out->bits = (int)b.bits;
  memcpy(out->mask, b.mask, sizeof out->mask);
  plan->channels = b.mask[3] ? 4 : 3;
  return CAM_OK;
}
