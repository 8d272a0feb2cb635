/* decode_bmp.c - the pixels of a BMP: palette, 24 bits, bit fields, run-length coding. Flow:
 * probe_bmp -> [decode_bmp] -> flatten -> decode. Thread: any. Microsoft, "Bitmap Compression";
 * [MS-WMF] 2.2.2 and 3.1.6.
 *
 * Own code, since stb_image reads neither RLE nor most headers right, and once a header is read
 * what is left are the loops below. The probe has checked that the rows are there, so only
 * run-length coding looks at bounds here. Pixels that it leaves out are black, as in browsers. */
#include "decode_bmp.h"
#include "cam_minmax.h"
#include "flatten.h"
#include <stdlib.h>
#include <string.h>

enum { SLACK = 4 }; /* see cam_image */

typedef struct canvas {
  const photo_plan *plan;
  const uint8_t *bytes; /* of the file */
  size_t n;
  uint8_t *pixels;         /* [height,width,channels], top row first */
  uint8_t colours[256][3]; /* the palette; what it lacks is black */
} canvas;

static uint8_t *pixel_at(const canvas *c, size_t x, size_t y) {
  const photo_plan *plan = c->plan;
  return c->pixels + (y * (size_t)plan->width + x) * (size_t)plan->channels;
}

/* The row of the picture that is stored as the i-th. */
static size_t row_of(const photo_plan *plan, size_t i) {
  if (plan->bmp.top_down)
    return i;
  return (size_t)plan->height - 1 - i;
}

static void read_palette(canvas *c) {
  const bmp_plan *bmp = &c->plan->bmp;
  for (size_t i = 0; i < bmp->palette.n; i++) {
    const uint8_t *entry = c->bytes + bmp->palette.at + i * (size_t)bmp->entry;
    for (int channel = 0; channel < 3; channel++)
      c->colours[i][channel] = entry[2 - channel];
  }
}

/* ---- Rows as they are ---- */

static void read_indices(const canvas *c, const uint8_t *row, uint8_t *out) {
  const size_t bits = (size_t)c->plan->bmp.bits, mask = (1u << bits) - 1;
  for (size_t x = 0; x < (size_t)c->plan->width; x++, out += 3) {
    const size_t at = x * bits, shift = 8 - bits - at % 8;
    memcpy(out, c->colours[row[at / 8] >> shift & mask], 3);
  }
}

static void read_byte_row(const canvas *c, const uint8_t *row, uint8_t *out) {
  for (size_t x = 0; x < (size_t)c->plan->width; x++, row += 3, out += 3) {
    out[0] = row[2];
    out[1] = row[1];
    out[2] = row[0];
  }
}

/* A field of a pixel as 8 bits: its upper 8, or fewer repeated until there are 8. */
static uint8_t field_of(uint32_t pixel, uint32_t mask) {
  const int low = __builtin_ctz(mask), bits = __builtin_popcount(mask);
  const uint32_t value = (pixel & mask) >> low;
  if (bits >= 8)
    return (uint8_t)(value >> (bits - 8));
  uint32_t out = 0;
  for (int filled = 0; filled < 8; filled += bits)
    out = out << bits | value;
  const int over = (8 + bits - 1) / bits * bits - 8;
  return (uint8_t)(out >> over);
}

static void read_fields(const canvas *c, const uint8_t *row, uint8_t *out) {
  const bmp_plan *bmp = &c->plan->bmp;
  const size_t channels = (size_t)c->plan->channels, step = (size_t)bmp->bits / 8;
  for (size_t x = 0; x < (size_t)c->plan->width; x++, row += step, out += channels) {
    const uint32_t pixel = step == 2 ? le16(row) : le32(row);
    for (size_t channel = 0; channel < channels; channel++)
      out[channel] = field_of(pixel, bmp->mask[channel]);
  }
}

static void read_bitmap(const canvas *c) {
  const photo_plan *plan = c->plan;
  const size_t stride = ((size_t)plan->width * (size_t)plan->bmp.bits + 31) / 32 * 4;
  void (*read)(const canvas *, const uint8_t *, uint8_t *) = read_fields;
  if (plan->bmp.bits <= 8)
    read = read_indices;
  else if (plan->bmp.bits == 24)
    read = read_byte_row;
  for (size_t i = 0; i < (size_t)plan->height; i++)
    read(c, c->bytes + plan->bmp.pixels + i * stride, pixel_at(c, 0, row_of(plan, i)));
}

/* A picture whose alpha is 0 everywhere was written by a program that knows of none. */
static void mend_alpha(const canvas *c) {
  const size_t count = (size_t)c->plan->width * (size_t)c->plan->height;
  for (size_t i = 0; i < count; i++)
    if (c->pixels[4 * i + 3])
      return;
  for (size_t i = 0; i < count; i++)
    c->pixels[4 * i + 3] = 255;
}

/* ---- Runs ---- */

typedef struct pen {
  const canvas *c;
  size_t at;   /* in the file */
  size_t x, y; /* rows as stored */
} pen;

/* `count` pixels of one byte (two of 4 bits, by turns) or of the bytes that follow. What goes
 * beyond the row's end is lost, as in browsers, so that a file draws no pixel twice. */
static void draw_run(pen *p, size_t count, const uint8_t *codes, bool literal) {
  const photo_plan *plan = p->c->plan;
  const size_t width = (size_t)plan->width, room = width - min_size(p->x, width),
               per_byte = plan->bmp.bits == 4 ? 2 : 1;
  uint8_t *out = pixel_at(p->c, p->x, row_of(plan, p->y));
  for (size_t i = 0; i < min_size(count, room); i++, out += 3) {
    unsigned code = codes[literal ? i / per_byte : 0];
    if (per_byte == 2)
      code = i % 2 == 0 ? code >> 4 : code & 15;
    memcpy(out, p->c->colours[code], 3);
  }
  p->x += count;
}

/* After a 0: the end of a row or of the picture, a leap, or pixels as they are. False: it ends, or
 * the bytes do (p->at is then beyond the file). */
static bool escape(pen *p, unsigned code) {
  enum { END_OF_ROW = 0, END_OF_PICTURE = 1, LEAP = 2 };
  const canvas *c = p->c;
  switch (code) {
  case END_OF_ROW:
    p->x = 0;
    p->y++;
    return true;
  case END_OF_PICTURE:
    return false;
  case LEAP:
    if (c->n - p->at < 2)
      break;
    p->x += c->bytes[p->at];
    p->y += c->bytes[p->at + 1];
    p->at += 2;
    return true;
  default: {
    const size_t stored = c->plan->bmp.bits == 4 ? (code + 1) / 2 : code;
    if (c->n - p->at < stored)
      break;
    draw_run(p, code, c->bytes + p->at, true);
    p->at = min_size(p->at + (stored + 1) / 2 * 2, c->n);
    return true;
  }
  }
  p->at = c->n + 1;
  return false;
}

/* False where the bytes end before the picture does. */
static bool read_runs(const canvas *c) {
  const size_t height = (size_t)c->plan->height;
  pen p = {.c = c, .at = c->plan->bmp.pixels};
  while (p.y < height) {
    if (c->n - p.at < 2)
      return p.y + 1 == height && p.x >= (size_t)c->plan->width;
    const unsigned count = c->bytes[p.at], code = c->bytes[p.at + 1];
    p.at += 2;
    if (count) {
      const uint8_t value = (uint8_t)code;
      draw_run(&p, count, &value, false);
    } else if (!escape(&p, code)) {
      return p.at <= c->n;
    }
  }
  return true;
}

/* ---- A file ---- */

size_t work_of_bmp(const photo_plan *plan, size_t *result) {
  *result = plan_pixel_bytes(plan);
  return *result + SLACK;
}

cam_code decode_bmp(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                    cam_error *error) {
  size_t size;
  const size_t needed = work_of_bmp(plan, &size);
  if (needed > plan->budget)
    return cam_fail(error, CAM_E_BUDGET, "decoding needs %zu bytes of memory; allowed are %zu",
                    needed, plan->budget);
  canvas c = {.plan = plan, .bytes = bytes, .n = n, .pixels = calloc(1, needed)};
  if (!c.pixels)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory to decode the photo");
  read_palette(&c);
  if (!plan->bmp.run_length) {
    read_bitmap(&c);
  } else if (!read_runs(&c)) {
    free(c.pixels);
    return cam_fail(error, CAM_E_PHOTO, "broken BMP: cut short in its runs");
  }
  if (plan->channels == 3) {
    *image = (cam_image){plan->width, plan->height, c.pixels};
    return CAM_OK;
  }
  mend_alpha(&c);
  flatten(c.pixels, plan->width, plan->height, image);
  return CAM_OK;
}
