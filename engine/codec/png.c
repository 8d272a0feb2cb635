/* png.c - png.h.   Flow: overlay -> [png] -> picture.   Thread: any.
 * A row is filtered as soon as it is made, while it is near; what is compressed is the filtered
 * rows alone, and it goes where it stands in the file. */
#include "png.h"
#include "base/clones.h"
#include "deflate.h"
#include <stdlib.h>
#include <string.h>

enum {
  SIGNATURE_BYTES = 8,
  HEADER_BYTES = 13, /* of IHDR's data */
  CHUNK_BYTES = 12,  /* of a chunk beside its data: length, name, checksum */
  DATA_AT = SIGNATURE_BYTES + CHUNK_BYTES + HEADER_BYTES + 8, /* what is compressed */
  ENDS_BYTES = DATA_AT + 4 + CHUNK_BYTES,                     /* a file without it */
  DEPTH = 8,
  /* On overlays "average" gives fewer bytes than "sub" or "up" in the same time, and than "paeth",
   * which takes far longer. */
  FILTER_AVERAGE = 3,
  /* A chunk's length is below 2^31 (5.3); compressing adds a 64th at most. */
  ROWS_MOST = INT32_MAX - INT32_MAX / 32
};

static void put_big_endian(uint8_t *to, uint32_t value) {
  for (int i = 0; i < 4; i++)
    to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Writes what frames n bytes of data, which are there, 8 bytes on; returns what follows. */
static uint8_t *frame(uint8_t *at, const char name[4], size_t n) {
  put_big_endian(at, (uint32_t)n);
  memcpy(at + 4, name, 4);
  put_big_endian(at + 8 + n, deflate_crc32(at + 4, 4 + n));
  return at + CHUNK_BYTES + n;
}

static void write_header(uint8_t *file, const pixel_rows *rows) {
  static const uint8_t signature[SIGNATURE_BYTES] = {137, 'P', 'N', 'G', '\r', '\n', 26, '\n'};
  uint8_t *header = file + SIGNATURE_BYTES + 8;
  memcpy(file, signature, sizeof signature);
  memset(header, 0, HEADER_BYTES); /* compression, filter method and interlace: 0 */
  put_big_endian(header, (uint32_t)rows->width);
  put_big_endian(header + 4, (uint32_t)rows->height);
  header[8] = DEPTH;
  if (rows->channels == 3)
    header[9] = 2; /* RGB; 0: grey */
  frame(file + SIGNATURE_BYTES, "IHDR", HEADER_BYTES);
}

/* Bytes minus the mean, rounded down, of the byte a pixel before them and the one above. Rounded
 * up, the mean is one operation of many processors: it is one more where the two differ in their
 * last bit. */
CLONES static void filter_average(const uint8_t *row, const uint8_t *before, const uint8_t *above,
                                  size_t n, uint8_t *restrict out) {
  for (size_t i = 0; i < n; i++) {
    const uint8_t up = (uint8_t)((before[i] + above[i] + 1) >> 1);
    const uint8_t odd = (before[i] ^ above[i]) & 1;
    out[i] = (uint8_t)(row[i] - up + odd);
  }
}

/* Whole cache lines. */
static size_t row_room(const pixel_rows *rows) {
  enum { LINE = 64 };
  return (pixel_row_bytes(rows) + LINE - 1) / LINE * LINE;
}

/* All rows, each with its filter's number before it: [height, 1 + row]. room: two rows; the first
 * begins as what is above the picture, zeros. */
static void filter_all(const pixel_rows *rows, uint8_t *room, uint8_t *out) {
  const size_t n = pixel_row_bytes(rows), channels = (size_t)rows->channels;
  const uint8_t *above = room;
  memset(room, 0, n);
  for (int y = 0; y < rows->height; y++) {
    const uint8_t *row = pixel_row(rows, y, room + row_room(rows) * (size_t)((y + 1) % 2));
    *out++ = FILTER_AVERAGE;
    for (size_t i = 0; i < channels; i++)
      out[i] = (uint8_t)(row[i] - above[i] / 2);
    filter_average(row + channels, row, above + channels, n - channels, out + channels);
    out += n;
    above = row;
  }
}

static uint64_t filtered_bytes(uint64_t width, uint64_t height, unsigned channels) {
  return height * (1 + width * channels);
}

/* The filtered rows, for free(); NULL: no memory. */
static uint8_t *filtered(const pixel_rows *rows, size_t n) {
  uint8_t *room = aligned_alloc(64, 2 * row_room(rows)), *out = malloc(n);
  if (room && out) {
    filter_all(rows, room, out);
  } else {
    free(out);
    out = NULL;
  }
  free(room);
  return out;
}

/* The file, for free(); NULL: no memory. */
static uint8_t *png_file(const pixel_rows *rows, const uint8_t *bytes, size_t n, size_t *size) {
  uint8_t *file = malloc(ENDS_BYTES + deflate_bound(n));
  if (!file)
    return NULL;
  const size_t packed = deflate_zlib(bytes, n, file + DATA_AT);
  if (!packed) {
    free(file);
    return NULL;
  }
  write_header(file, rows);
  uint8_t *end = frame(file + DATA_AT - 8, "IDAT", packed);
  *size = (size_t)(frame(end, "IEND", 0) - file);
  uint8_t *shorter = realloc(file, *size);
  return shorter ? shorter : file;
}

cam_code png_encode(const pixel_rows *rows, cam_bytes *out, cam_error *error) {
  *out = (cam_bytes){0};
  const uint64_t n = filtered_bytes((uint64_t)rows->width, (uint64_t)rows->height,
                                    (unsigned)rows->channels);
  if (n > ROWS_MOST)
    return cam_fail(error, CAM_E_PIXELS,
                    "a PNG of %d x %d pixels has %llu bytes of rows; it may have %d", rows->width,
                    rows->height, (unsigned long long)n, ROWS_MOST);
  uint8_t *bytes = filtered(rows, (size_t)n);
  if (bytes)
    out->data = png_file(rows, bytes, (size_t)n, &out->size);
  free(bytes);
  if (out->data)
    return CAM_OK;
  return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a PNG of %d x %d pixels", rows->width,
                  rows->height);
}
