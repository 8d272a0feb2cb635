/* test_png.c - files taken apart by a reader of its own: chunks and their CRCs (PNG, 5.3), inflate
 * (RFC 1951), Adler-32 (RFC 1950) and the five filters (PNG, 9.2), so that neither png.c,
 * libdeflate nor huffman.c vouches for itself. Also: the same bytes on every thread and in dirty
 * memory. */
#include "codec/deflate.h"
#include "codec/huffman.h"
#include "codec/png.h"
#include "render/picture.h"
#include <check.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ck_assert writes to Check's pipe each time, too slow for every bit. */
#define NEED(condition) \
  do { \
    if (!(condition)) \
      ck_abort_msg(#condition); \
  } while (0)

/* ---- inflate, bit by bit, checked at every step ---- */
typedef struct bits {
  const uint8_t *data;
  size_t n, at;
} bits;

static unsigned take(bits *in, int n) {
  unsigned value = 0;
  for (int i = 0; i < n; i++, in->at++) {
    NEED(in->at / 8 < in->n);
    value |= (unsigned)(in->data[in->at / 8] >> (in->at % 8) & 1) << i;
  }
  return value;
}

typedef struct huffman {
  int count[16], symbols[288];
} huffman; /* canonical: how many of each length, symbols by length, then value */

static void make_code(huffman *code, const uint8_t *lengths, int n) {
  int next[16] = {0};
  memset(code, 0, sizeof *code);
  for (int i = 0; i < n; i++)
    code->count[lengths[i]]++;
  code->count[0] = 0;
  for (int l = 1; l < 16; l++)
    next[l] = next[l - 1] + code->count[l - 1];
  for (int i = 0; i < n; i++)
    if (lengths[i])
      code->symbols[next[lengths[i]]++] = i;
}

static int symbol(bits *in, const huffman *code) {
  int value = 0, first = 0, index = 0;
  for (int l = 1; l < 16; l++) {
    value |= (int)take(in, 1);
    if (value - first < code->count[l])
      return code->symbols[index + value - first];
    index += code->count[l];
    first = (first + code->count[l]) << 1;
    value <<= 1;
  }
  ck_abort_msg("no such code");
  return -1;
}

static void read_codes(bits *in, huffman *literals, huffman *distances) {
  static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                    11, 4,  12, 3, 13, 2, 14, 1, 15};
  const int n_literals = (int)take(in, 5) + 257, n_distances = (int)take(in, 5) + 1,
            n_lengths = (int)take(in, 4) + 4;
  uint8_t lengths[320] = {0};
  huffman meta;
  for (int i = 0; i < n_lengths; i++)
    lengths[order[i]] = (uint8_t)take(in, 3);
  make_code(&meta, lengths, 19);
  for (int i = 0; i < n_literals + n_distances;) {
    const int s = symbol(in, &meta);
    int again = 1, length = s;
    switch (s) {
    case 16:
      again = 3 + (int)take(in, 2);
      length = lengths[i - 1];
      break;
    case 17:
      again = 3 + (int)take(in, 3);
      length = 0;
      break;
    case 18:
      again = 11 + (int)take(in, 7);
      length = 0;
      break;
    }
    ck_assert_int_le(i + again, n_literals + n_distances);
    memset(lengths + i, length, (size_t)again);
    i += again;
  }
  make_code(literals, lengths, n_literals);
  make_code(distances, lengths + n_literals, n_distances);
}

static void fixed_codes(huffman *literals, huffman *distances) {
  uint8_t lengths[288];
  for (int i = 0; i < 288; i++)
    lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  make_code(literals, lengths, 288);
  memset(lengths, 5, 30);
  make_code(distances, lengths, 30);
}

/* Inflates all of in to exactly n bytes. */
static void inflate(bits *in, uint8_t *out, size_t n) {
  size_t at = 0;
  for (unsigned last = 0; !last;) {
    last = take(in, 1);
    const unsigned type = take(in, 2);
    ck_assert_uint_ne(type, 3);
    if (type == 0) {
      in->at = (in->at + 7) / 8 * 8;
      const unsigned length = take(in, 16);
      ck_assert_uint_eq(take(in, 16), length ^ 0xffff);
      ck_assert(length <= n - at);
      for (unsigned i = 0; i < length; i++)
        out[at++] = (uint8_t)take(in, 8);
      continue;
    }
    huffman literals, distances;
    if (type == 2)
      read_codes(in, &literals, &distances);
    else
      fixed_codes(&literals, &distances);
    for (int s; (s = symbol(in, &literals)) != 256;) {
      if (s < 256) {
        NEED(at < n);
        out[at++] = (uint8_t)s;
        continue;
      }
      s -= 257;
      const int extra = s < 8 || s == 28 ? 0 : s / 4 - 1;
      const size_t length = s == 28 ? 258
                            : s < 8 ? (size_t)s + 3
                                    : ((size_t)(4 + s % 4) << extra) + 3 + take(in, extra);
      const int d = symbol(in, &distances), more = d < 4 ? 0 : d / 2 - 1;
      const size_t back = d < 4 ? (size_t)d + 1
                                : ((size_t)(2 + d % 2) << more) + 1 + take(in, more);
      NEED(back <= at && length <= n - at);
      for (size_t i = 0; i < length; i++, at++)
        out[at] = out[at - back];
    }
  }
  ck_assert_uint_eq(at, n);
  in->at = (in->at + 7) / 8 * 8;
}

static uint32_t adler32(const uint8_t *data, size_t n) {
  uint32_t a = 1, b = 0;
  for (size_t i = 0; i < n; i++)
    a = (a + data[i]) % 65521, b = (b + a) % 65521;
  return b << 16 | a;
}

static uint32_t crc32_by_bit(const uint8_t *data, size_t n) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < n; i++) {
    crc ^= data[i];
    for (int k = 0; k < 8; k++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

static uint32_t big_endian(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void inflate_zlib(const uint8_t *zlib, size_t n_zlib, uint8_t *out, size_t n) {
  bits in = {zlib + 2, n_zlib - 2, 0};
  ck_assert_uint_gt(n_zlib, 6);
  ck_assert_uint_eq(zlib[0], 0x78); /* deflate, window of 32 KB */
  ck_assert_uint_eq((zlib[0] * 256 + zlib[1]) % 31, 0);
  inflate(&in, out, n);
  ck_assert_uint_eq(in.at / 8 + 4, in.n); /* nothing after the checksum */
  ck_assert_uint_eq(big_endian(zlib + n_zlib - 4), adler32(out, n));
}

/* ---- PNG ---- */

/* The body of the chunk at *at, which must be `type`; moves on. */
static const uint8_t *chunk(const cam_bytes *png, size_t *at, const char *type, size_t *n) {
  ck_assert(*at + 12 <= png->size);
  const uint8_t *p = png->data + *at;
  *n = big_endian(p);
  ck_assert(*n <= png->size - *at - 12);
  ck_assert_mem_eq(p + 4, type, 4);
  ck_assert_uint_eq(big_endian(p + 8 + *n), crc32_by_bit(p + 4, *n + 4));
  *at += *n + 12;
  return p + 8;
}

static int paeth(int a, int b, int c) {
  int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/* Asserts that the file holds exactly these pixels. */
static void ck_png(const cam_bytes *png, const uint8_t *pixels, int width, int height,
                   int channels) {
  size_t at = 8, n;
  ck_assert_mem_eq(png->data, "\x89PNG\r\n\x1a\n", 8);
  const uint8_t *header = chunk(png, &at, "IHDR", &n);
  ck_assert_uint_eq(n, 13);
  ck_assert_int_eq((int)big_endian(header), width);
  ck_assert_int_eq((int)big_endian(header + 4), height);
  ck_assert_mem_eq(header + 8, channels == 1 ? "\x08\x00\x00\x00\x00" : "\x08\x02\x00\x00\x00", 5);
  const uint8_t *data = chunk(png, &at, "IDAT", &n);
  const size_t row = (size_t)width * (size_t)channels, c = (size_t)channels;
  uint8_t *lines = malloc((row + 1) * (size_t)height);
  inflate_zlib(data, n, lines, (row + 1) * (size_t)height);
  for (size_t y = 0; y < (size_t)height; y++) {
    uint8_t *line = lines + y * (row + 1);
    const uint8_t *up = y ? line - row : NULL;
    const int filter = *line++;
    NEED(filter <= 4);
    for (size_t x = 0; x < row; x++) {
      const int a = x < c ? 0 : line[x - c];
      const int b = up ? up[x] : 0;
      const int corner = up && x >= c ? up[x - c] : 0;
      const int guesses[] = {0, a, b, (a + b) / 2, paeth(a, b, corner)};
      line[x] = (uint8_t)(line[x] + guesses[filter]);
    }
    NEED(!memcmp(line, pixels + y * row, row));
  }
  chunk(png, &at, "IEND", &n);
  ck_assert_uint_eq(n, 0);
  ck_assert_uint_eq(at, png->size);
  free(lines);
}

enum { FLAT, SMOOTH, NOISE, TEXT, KINDS };
static uint8_t value_at(int kind, size_t x, size_t y, size_t channel, unsigned noise) {
  switch (kind) {
  case FLAT:
    return 77;
  case SMOOTH:
    return (uint8_t)(x * 3 + y * 2 + channel * 40 + (noise >> 30));
  case TEXT:
    return y % 16 < 9 && (x * 7 + y / 16 * 13) % 11 < 5 ? 255 : 0;
  default:
    return (uint8_t)(noise >> 24);
  }
}

static uint8_t *picture(int kind, int width, int height, int channels) {
  const size_t n = (size_t)width * (size_t)height * (size_t)channels;
  uint8_t *pixels = malloc(n);
  unsigned seed = 5;
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    const size_t pixel = i / (size_t)channels;
    const size_t x = pixel % (size_t)width, y = pixel / (size_t)width;
    pixels[i] = value_at(kind, x, y, i % (size_t)channels, seed);
  }
  return pixels;
}

static cam_code encode(const uint8_t *pixels, int width, int height, int channels, cam_bytes *png,
                       cam_error *error) {
  const pixel_rows rows = pixel_rows_of(pixels, width, height, channels);
  return png_encode(&rows, png, error);
}

START_TEST(every_size_reads_back) {
  static const int sizes[][2] = {{1, 1}, {1, 20000}, {20000, 1}, {3, 5},
                                 {2, 2}, {512, 341}, {451, 300}};
  for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int channels = 1; channels <= 3; channels += 2)
      for (int kind = 0; kind < KINDS; kind++) {
        uint8_t *pixels = picture(kind, sizes[s][0], sizes[s][1], channels);
        cam_bytes png;
        ck_assert_int_eq(encode(pixels, sizes[s][0], sizes[s][1], channels, &png, NULL), CAM_OK);
        ck_png(&png, pixels, sizes[s][0], sizes[s][1], channels);
        free(png.data);
        free(pixels);
      }
}
END_TEST

/* Rows that are made are asked for once each, from the top down, and give the file that pixels
 * give.
 */
typedef struct made_rows {
  const uint8_t *pixels;
  size_t bytes;
  int next;
} made_rows;
static void make_row(void *closure, int y, uint8_t *row) {
  made_rows *made = closure;
  NEED(y == made->next++);
  memcpy(row, made->pixels + made->bytes * (size_t)y, made->bytes);
}

START_TEST(rows_may_be_made) {
  for (int form = 0; form < CAM_PICTURE_COUNT; form++)
    for (int channels = 1; channels <= 3; channels += 2) {
      uint8_t *pixels = picture(SMOOTH, 71, 40, channels);
      made_rows made = {pixels, 71 * (size_t)channels, 0};
      const pixel_rows there = pixel_rows_of(pixels, 71, 40, channels);
      const pixel_rows asked = {71, 40, channels, NULL, make_row, &made};
      cam_bytes wanted, got;
      ck_assert_int_eq(picture_encode((cam_picture)form, &there, &wanted, NULL), CAM_OK);
      ck_assert_int_eq(picture_encode((cam_picture)form, &asked, &got, NULL), CAM_OK);
      ck_assert_int_eq(made.next, 40);
      ck_assert_uint_eq(got.size, wanted.size);
      ck_assert_mem_eq(got.data, wanted.data, got.size);
      free(got.data);
      free(wanted.data);
      free(pixels);
    }
}
END_TEST

START_TEST(refuses_what_a_chunk_cannot_hold) {
  uint8_t pixel = 0;
  cam_bytes png = {&pixel, 1};
  cam_error error = {0};
  ck_assert_int_eq(encode(&pixel, 40000, 40000, 3, &png, &error), CAM_E_PIXELS);
  ck_assert_ptr_null(png.data);
  ck_assert_uint_eq(png.size, 0);
  ck_assert_str_eq(error.detail,
                   "a PNG of 40000 x 40000 pixels has 4800040000 bytes of rows; it may "
                   "have 2080374784");
}
END_TEST

/* ---- the same bytes, always ---- */
enum { WIDTH = 300, HEIGHT = 200, THREADS = 4, ROUNDS = 10 };
static void *encode_often(void *wanted) {
  uint8_t *pixels = picture(SMOOTH, WIDTH, HEIGHT, 3), *other = picture(NOISE, 90, 50, 1);
  cam_bytes png;
  for (int i = 0; i < ROUNDS; i++) {
    ck_assert_int_eq(encode(other, 10 + i, 50, 1, &png, NULL), CAM_OK);
    free(png.data);
    ck_assert_int_eq(encode(pixels, WIDTH, HEIGHT, 3, &png, NULL), CAM_OK);
    ck_assert_uint_eq(png.size, ((cam_bytes *)wanted)->size);
    ck_assert_mem_eq(png.data, ((cam_bytes *)wanted)->data, png.size);
    free(png.data);
  }
  free(pixels);
  free(other);
  return NULL;
}

START_TEST(same_bytes_whatever_thread_and_history) {
  uint8_t *pixels = picture(SMOOTH, WIDTH, HEIGHT, 3);
  cam_bytes wanted;
  pthread_t threads[THREADS];
  ck_assert_int_eq(encode(pixels, WIDTH, HEIGHT, 3, &wanted, NULL), CAM_OK);
  for (int i = 0; i < THREADS; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, encode_often, &wanted), 0);
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  for (int fill = 1; fill < 256;
       fill += 127) { /* glibc fills what malloc returns with this byte, inverted */
    mallopt(M_PERTURB, fill);
    encode_often(&wanted);
  }
  mallopt(M_PERTURB, 0);
  free(wanted.data);
  free(pixels);
}
END_TEST

START_TEST(deflate_any_bytes) {
  static const size_t sizes[] = {0, 1, 2, 3, 100, 8191, 65535, 65536, 70000, 400000};
  for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int kind = 0; kind < KINDS; kind++) {
      const size_t n = sizes[s];
      uint8_t *bytes = picture(kind, (int)n + 1, 1, 1), *back = malloc(n + 1);
      uint8_t *zlib = malloc(deflate_bound(n)); /* exactly: a sanitizer sees a byte beyond */
      const size_t size = deflate_zlib(bytes, n, zlib);
      ck_assert_uint_gt(size, 0);
      ck_assert_uint_le(size, n + n / 1000 + 100); /* what does not shrink is stored */
      inflate_zlib(zlib, size, back, n);
      ck_assert(!memcmp(back, bytes, n));
      free(zlib);
      free(back);
      free(bytes);
    }
}
END_TEST

/* Blocks on and off their borders; counts like Fibonacci's numbers, whose code would be deeper than
 * allowed; one and two symbols. */
START_TEST(literals_alone) {
  static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 32767, 32768, 32769, 65536, 100001};
  static uint8_t bytes[100001], back[100001];
  static const int kinds = 5;
  for (int kind = 0; kind < kinds; kind++) {
    unsigned seed = 9;
    for (size_t i = 0, a = 1, b = 1, left = 1, value = 0; i < sizeof bytes; i++) {
      seed = seed * 1664525u + 1013904223u;
      if (!left--) {
        const size_t next = i % 32768 ? a + b : 1;
        a = next == 1 ? 1 : b, b = next, left = next - 1, value = next == 1 ? 0 : value + 1;
      }
      const size_t values[] = {value, 0, seed >> 31, seed >> 24, (seed >> 28) * (seed >> 24 & 15)};
      bytes[i] = (uint8_t)values[kind];
    }
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      uint8_t *out = malloc(huffman_bound(sizes[s])); /* exactly: a sanitizer sees a byte beyond */
      bits in = {out, huffman_deflate(bytes, sizes[s], out), 0};
      inflate(&in, back, sizes[s]);
      ck_assert_uint_eq(in.at / 8, in.n);
      ck_assert(!memcmp(back, bytes, sizes[s]));
      ck_assert_uint_le(in.n, sizes[s] + 5 * (sizes[s] / 32768 + 1) + 200);
      if (kind == 1)
        ck_assert_uint_le(in.n, sizes[s] / 8 + 80 * (sizes[s] / 32768 + 1));
      free(out);
    }
  }
}
END_TEST

/* What a block takes while it is tried is more than what stays of it. Every fourth run of 64 bytes
 * is counted: in those, counts so uneven that all other bytes get codes of 13 bits; between them,
 * only such bytes. */
static void fill_badly(uint8_t *bytes, size_t n) {
  static const uint16_t common[] = {300, 800, 1600, 3300, 6600, 13200, 26400, 52800};
  unsigned seed = 3;
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    unsigned at = seed >> 16, value = 0;
    while (value < 7 && at >= common[value])
      value++;
    bytes[i] = (uint8_t)(i / 64 % 4 ? 8 + (seed >> 16) % 248 : value);
  }
}

/* Codes of many lengths in no order, so that the code itself is long. */
static void fill_unevenly(uint8_t *bytes, size_t n) {
  unsigned seed = 1;
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    bytes[i] = (uint8_t)((seed >> 24) * 5 & 0xfd);
  }
}

/* The last byte that was written. */
static size_t written(const uint8_t *bytes, size_t n) {
  while (n && bytes[n - 1] == 0xa5)
    n--;
  return n;
}

START_TEST(room_for_a_block_that_is_tried) {
  static const size_t sizes[] = {65,  66,   80,    100,    150,    200,
                                 300, 1000, 32768, 131072, 131073, 262144};
  static uint8_t bytes[262144], back[262144];
  const size_t guard = 262144;
  size_t most = 0;
  for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int kind = 0; kind < 2; kind++) {
      const size_t n = sizes[s], room = huffman_bound(n);
      uint8_t *out = malloc(room + guard);
      (kind ? fill_unevenly : fill_badly)(bytes, n);
      memset(out, 0xa5, room + guard);
      bits in = {out, huffman_deflate(bytes, n, out), 0};
      const size_t end = written(out, room + guard);
      /* a byte at 13 bits, the end of the block, its code as huffman.c counts it, and what the
       * writer stores at a time; no bytes are known that take all of it */
      ck_assert_uint_ge(room * 8, n * 13 + 13 + (3 + 14 + 57 + 259 * 14) + 64);
      ck_assert_msg(end <= room, "%zu bytes of %zu written for %zu", end, room, n);
      if (end > in.n && end - in.n > most)
        most = end - in.n;
      inflate(&in, back, n);
      ck_assert(!memcmp(back, bytes, n));
      free(out);
    }
  ck_assert_uint_gt(most, 131072 / 5); /* or these bytes are not bad enough */
}
END_TEST

START_TEST(matches_are_found_where_there_are_some) {
  uint8_t *bytes = calloc(300, 1000), *zlib = malloc(deflate_bound(300000));
  for (int i = 0; i < 300000; i += 7)
    bytes[i] = (uint8_t)i;
  const size_t n = deflate_zlib(bytes, 300000, zlib);
  ck_assert(n && n <= 300000 / 50); /* literals alone take an eighth at least */
  free(zlib);
  free(bytes);
}
END_TEST

START_TEST(crc_check_value) {
  ck_assert_uint_eq(deflate_crc32((const uint8_t *)"123456789", 9),
                    0xcbf43926); /* Williams, "A painless guide to CRC error detection" */
  ck_assert_uint_eq(deflate_crc32((const uint8_t *)"", 0), 0);
}
END_TEST

Suite *png_suite(void);
Suite *png_suite(void) {
  Suite *suite = suite_create("png");
  TCase *tcase = tcase_create("png");
  tcase_add_test(tcase, every_size_reads_back);
  tcase_add_test(tcase, rows_may_be_made);
  tcase_add_test(tcase, refuses_what_a_chunk_cannot_hold);
  tcase_add_test(tcase, same_bytes_whatever_thread_and_history);
  tcase_add_test(tcase, deflate_any_bytes);
  tcase_add_test(tcase, literals_alone);
  tcase_add_test(tcase, room_for_a_block_that_is_tried);
  tcase_add_test(tcase, matches_are_found_where_there_are_some);
  tcase_add_test(tcase, crc_check_value);
  suite_add_tcase(suite, tcase);
  return suite;
}
