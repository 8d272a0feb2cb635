/* probe_bmp.c - reads the header of a BMP and writes it anew in the one form that stb_image reads
 * right. Microsoft, "Bitmap Header Types"; [MS-WMF] 2.2.2.3. Flow: formats -> [probe] ->
 * decode_stb. Thread: any. Allocates nothing. That spares us stb's traps: short palettes read past
 * their end, gaps before the pixels, headers of 52, 56 and 64 bytes, alpha of 32-bit pictures that
 * have none, missing rows read as zeros. Not supported: RLE, and JPEG or PNG inside a BMP (for
 * printers). */
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
  OS2 = 64,
  V4 = 108,
  V5 = 124,
  BI_RGB = 0,
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

static void put(uint8_t *p, int bytes, uint32_t value) {
  for (int i = 0; i < bytes; i++)
    p[i] = (uint8_t)(value >> 8 * i);
}

static bool usable_mask(uint32_t mask) { /* one run of at most 8 bits: what stb scales to 8 bits */
  if (!mask)
    return false;
  uint32_t run = mask >> __builtin_ctz(mask);
  return !(run & (run + 1)) && run <= 255;
}

static cam_code read_masks(const uint8_t *bytes, size_t n, bmp *b, cam_error *error) {
  static const uint32_t usual[2][4] = {
      {31u << 10, 31u << 5, 31u, 0},
      {0xffu << 16, 0xffu << 8, 0xffu, 0}}; /* 16 and 32 bits; the fourth byte is not alpha */
  memcpy(b->mask, usual[b->bits == 32], sizeof b->mask);
  if (b->compression == BI_RGB)
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

static cam_code check_compression(const bmp *b, cam_error *error) {
  if (b->compression == BI_RGB)
    return CAM_OK;
  if ((b->compression == BI_BITFIELDS || b->compression == BI_ALPHABITFIELDS) &&
      (b->bits == 16 || b->bits == 32) && b->header != OS2)
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

static cam_code read_header(const uint8_t *bytes, size_t n, bmp *b, cam_error *error) {
  if (n < FILE_HEADER + CORE)
    return BROKEN("cut short in its header");
  b->offset = le32(bytes + 10);
  b->header = le32(bytes + FILE_HEADER);
  const uint8_t *h = bytes + FILE_HEADER;
  if (b->header == CORE) {
    *b = (bmp){b->header,   b->offset,    le16(h + 4), le16(h + 6),
               le16(h + 8), le16(h + 10), BI_RGB,      {0}};
  } else {
    bool known = b->header == V1 || b->header == V2 || b->header == V3 || b->header == OS2 ||
                 b->header == V4 || b->header == V5;
    if (!known)
      return BROKEN("header of %zu bytes", b->header);
    if (n < FILE_HEADER + b->header)
      return BROKEN("cut short in its header");
    *b = (bmp){b->header,    b->offset,    (int32_t)le32(h + 4), (int32_t)le32(h + 8),
               le16(h + 12), le16(h + 14), le32(h + 16),         {0}};
  }
  cam_code code = check_compression(b, error);
  if (code)
    return code;
  if (b->bits != 1 && b->bits != 4 && b->bits != 8 && b->bits != 16 && b->bits != 24 &&
      b->bits != 32)
    return BROKEN("%u bits a pixel", b->bits);
  if (b->planes != 1)
    return BROKEN("%u planes", b->planes);
  return read_masks(bytes, n, b, error);
}

/* The header that stb_image reads right, in place of all that is before the pixels. `entries` of
 * the palette stand at `palette`, `entry` bytes each. */
static void write_header(const bmp *b, const uint8_t *palette, size_t entry, size_t entries,
                         photo_plan *plan) {
  const bool masks = b->bits > 8 && b->bits != 24;
  const size_t header = masks ? V4 : V1;
  size_t inserted = FILE_HEADER + header;
  if (b->bits <= 8)
    inserted += 4u << b->bits;
  uint8_t *out = plan_patch(plan, 0, b->offset, inserted), *h = out + FILE_HEADER;
  memset(out, 0, inserted);
  memcpy(out, "BM", 2);
  put(out + 10, 4, (uint32_t)inserted);
  put(h, 4, (uint32_t)header);
  put(h + 4, 4, (uint32_t)b->width);
  put(h + 8, 4, (uint32_t)b->height);
  put(h + 12, 2, 1);
  put(h + 14, 2, b->bits);
  if (masks) {
    put(h + 16, 4, BI_BITFIELDS);
    for (int i = 0; i < 4; i++)
      put(h + V1 + 4 * i, 4, b->mask[i]);
  }
  for (size_t i = 0; i < entries; i++)
    memcpy(h + header + 4 * i, palette + entry * i, 3);
}

cam_code probe_bmp(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                   cam_error *error) {
  bmp b = {0};
  cam_code code = read_header(bytes, n, &b, error);
  if (code)
    return code;
  code = plan_size(plan, b.width, llabs(b.height), limits, error);
  if (code)
    return code;
  uint64_t row = (b.width * b.bits + 7) / 8, stride = (row + 3) / 4 * 4,
           size = stride * (plan->height - 1) + row; /* the last padding may be missing */
  const size_t entry = b.header == CORE ? 3 : 4, palette_at = FILE_HEADER + b.header;
  size_t entries = 0;
  if (b.offset > n || size > n - b.offset)
    return BROKEN("cut short: %zu bytes, needs %llu", n, (unsigned long long)(b.offset + size));
  if (b.offset < palette_at)
    return BROKEN("pixels at byte %zu, inside its header", b.offset);
  if (b.bits <= 8) {
    entries = min_size((b.offset - palette_at) / entry, 1u << b.bits);
    if (!entries)
      return BROKEN("no palette");
  }
  plan->channels = 3;
  if (b.mask[3])
    plan->channels = 4;
  plan->budget = limits->decode_bytes;
  write_header(&b, bytes + palette_at, entry, entries, plan);
  return CAM_OK;
}
