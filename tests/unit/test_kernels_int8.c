/* test_kernels_int8.c - each kernel of kernels_int8.h, on every instruction set that this CPU has,
 * against plain loops and the rule of requantisation as the header states it: to the bit. Planes
 * are followed by bytes that must stay as they are. */
#include "network/kernels_int8.h"
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 0xa5, GUARD_BYTES = 64 };

/* ---- made numbers ---- */

static uint32_t seed;
static uint32_t next_random(void) { return seed = seed * 1664525u + 1013904223u; }
static int from_to(int least, int most) {
  return least + (int)((uint64_t)(next_random() >> 1) * (uint64_t)(most - least + 1) >> 31);
}

static void *room(size_t bytes) {
  uint8_t *p = aligned_alloc(64, (bytes + GUARD_BYTES + 63) / 64 * 64);
  ck_assert_ptr_nonnull(p);
  memset(p, GUARD, bytes + GUARD_BYTES);
  return p;
}

static void is_guarded(const uint8_t *p, size_t bytes) {
  for (size_t i = 0; i < GUARD_BYTES; i++)
    ck_assert_uint_eq(p[bytes + i], GUARD);
}

/* Every byte, and often those at the ends. */
static uint8_t *made_bytes(size_t n) {
  uint8_t *p = room(n);
  for (size_t i = 0; i < n; i++) {
    p[i] = (uint8_t)from_to(0, 255);
    if (from_to(0, 7) == 0)
      p[i] = 255;
  }
  return p;
}

static int8_t *made_weights(size_t n) {
  int8_t *p = room(n);
  for (size_t i = 0; i < n; i++) {
    p[i] = (int8_t)from_to(-127, 127);
    if (from_to(0, 7) == 0)
      p[i] = -127;
  }
  return p;
}

/* ---- the rule ---- */

static const uint8_t *made_table(void) {
  static uint8_t table[256];
  for (int i = 0; i < 256; i++)
    table[i] = (uint8_t)(i * 7 + 13);
  return table;
}

/* volatile: each operation is rounded by itself. */
static uint8_t byte_by_rule(volatile float f, const int8_range *range) {
  f = fminf(fmaxf(f, (float)(range->low - range->zero)), (float)(range->high - range->zero));
  const int q = (int)rintf(f) + range->zero;
  if (range->table)
    return range->table[q];
  return (uint8_t)q;
}

static uint8_t requantised(int64_t sum, const requantization *q, int c, const uint8_t *residual) {
  ck_assert_int_eq(sum, (int32_t)sum);
  volatile float f = (float)(int32_t)sum * q->multiplier[c];
  if (residual) {
    volatile float other = (float)(*residual - q->residual_zero) * q->residual_multiplier;
    f = f + other;
  }
  return byte_by_rule(f, &q->range);
}

/* What a case says of its output. `spread` is about how many values of the output a sum's deviation
 * takes: 1e3 saturates at both ends, 8e6 where
 * words of 16 bits do, too. */
typedef struct output_case {
  int zero_in, zero, low, high;
  bool has_table, has_residual;
  float spread;
} output_case;

/* clang-format off */
static const output_case output_cases[] = {
  {  0,   0,  0, 255, false, false, 90},
  {127, 128,  0, 255, false, true,  60},
  {255, 255,  0, 255, true,  false, 90},
  {255,   0,  0, 200, false, true,  100},
  {  0, 127, 127, 255, true, true,  100},
  { 13,  40, 40, 167, false, false, 1e3f},
  {127,   9,  0, 255, false, true,  8e6f},
  {  1, 200, 30, 250, false, false, 1e-6f},
};
/* clang-format on */
enum { N_OUTPUT_CASES = sizeof output_cases / sizeof *output_cases };

/* Of n channels, sums of `products` products each; weights(c, k) are w[k * stride + c]. */
static requantization made_requantization(const output_case *o, int n, int products,
                                          const int8_t *w, ptrdiff_t stride, int used) {
  float *multiplier = room((size_t)n * sizeof *multiplier);
  int32_t *bias = room((size_t)n * sizeof *bias);
  for (int c = 0; c < n; c++) {
    multiplier[c] = o->spread / (73 * 128 * sqrtf((float)products)) * (float)from_to(500, 1500) /
                    1000;
    bias[c] = from_to(-20000, 20000);
    for (int k = 0; k < products && c < used; k++)
      bias[c] -= o->zero_in * w[k * stride + c];
  }
  requantization q = {multiplier, bias, {o->zero, o->low, o->high, NULL}, 0, 0};
  if (o->has_table)
    q.range.table = made_table();
  if (o->has_residual) {
    q.residual_multiplier = 0.37f;
    q.residual_zero = 131;
  }
  return q;
}

static void free_requantization(requantization *q) {
  free((void *)q->multiplier);
  free((void *)q->bias);
}

/* ---- product ---- */

typedef struct product_case {
  int rows, segments, depth, columns, n;
} product_case;

static void check_product(const kernels_int8 *k, const product_case *p, const output_case *o) {
  const int stride = p->depth + from_to(0, 9), segment = stride * p->rows + 5;
  const int w_stride = p->columns + from_to(0, 3), products = p->segments * p->depth;
  const size_t a_bytes = (size_t)(segment * p->segments) + 3;
  uint8_t *a = made_bytes(a_bytes);
  int8_t *w = made_weights((size_t)(products * w_stride));
  requantization q = made_requantization(o, p->n, products, w, w_stride, p->columns);
  const int out_stride = p->n + 16, residual_stride = p->n + 32;
  uint8_t *residual = NULL;
  if (o->has_residual)
    residual = made_bytes((size_t)(p->rows * residual_stride));
  const size_t panel_bytes = k->panel_bytes(p->segments, p->depth, p->n);
  uint8_t *panel = room(panel_bytes);
  k->pack_panel(w, w_stride, p->segments, p->depth, p->columns, p->n, panel);
  is_guarded(panel, panel_bytes);
  const size_t out_bytes = (size_t)((p->rows - 1) * out_stride + p->n);
  uint8_t *out = room(out_bytes);
  k->product(p->rows, p->segments, p->depth, a, stride, segment, panel, p->n, &q, residual,
             residual_stride, out, out_stride);
  is_guarded(out, out_bytes);
  for (int m = 0; m < p->rows; m++)
    for (int c = 0; c < p->columns; c++) {
      int64_t sum = q.bias[c];
      for (int s = 0; s < p->segments; s++)
        for (int i = 0; i < p->depth; i++)
          sum += a[m * stride + s * segment + i] * w[(s * p->depth + i) * w_stride + c];
      const uint8_t *other = NULL;
      if (residual)
        other = residual + m * residual_stride + c;
      const int expected = requantised(sum, &q, c, other), got = out[m * out_stride + c];
      ck_assert_msg(got == expected, "%s: %d rows, %d x %d, n %d: row %d column %d is %d, not %d",
                    k->isa, p->rows, p->segments, p->depth, p->n, m, c, got, expected);
    }
  free(a);
  free(w);
  free(residual);
  free(panel);
  free(out);
  free_requantization(&q);
}

START_TEST(test_product) {
  /* clang-format off */
  static const product_case cases[] = {
    {1, 1, 1, 1, 16}, {1, 1, 3, 16, 16}, {2, 1, 4, 17, 32}, {3, 3, 9, 32, 32}, {5, 3, 9, 13, 16},
    {4, 1, 27, 30, 32}, {1, 5, 7, 32, 32}, {2, 2, 130, 16, 16}, {1, 1, 1153, 32, 32},
  };
  /* clang-format on */
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++)
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
      check_product(k, &cases[c], &output_cases[_i]);
}
END_TEST

/* Each height of the register tile, and what is left of two of them. */
START_TEST(test_product_of_all_heights) {
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++)
    for (int rows = 1; rows <= 2 * k->tile_rows + 1; rows++)
      for (int n = INT8_CELL; n <= INT8_PANEL; n += INT8_CELL)
        check_product(k, &(product_case){rows, 1, 10, n, n}, &output_cases[_i]);
}
END_TEST

/* Sums of an odd number of halves lie between two bytes. */
START_TEST(test_ties) {
  const float halves[16] = {.5f, .5f, .5f, .5f, .5f, .5f, .5f, .5f,
                            .5f, .5f, .5f, .5f, .5f, .5f, .5f, .5f};
  const int32_t bias[16] = {1, 3, 5, 7, -1, -3, -5, -7, 101, 103, -201, -203, 0, 2, -2, 4};
  const uint8_t expected[16] = {100, 102, 102, 104, 100, 98,  98, 96,
                                150, 152, 0,   0,   100, 101, 99, 102};
  const int8_t w[4 * 16] = {0};
  const uint8_t a[4] = {200, 200, 200, 200};
  const requantization q = {halves, bias, {100, 0, 255, NULL}, 0, 0};
  uint8_t out[16];
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++) {
    void *panel = room(k->panel_bytes(1, 4, 16));
    k->pack_panel(w, 16, 1, 4, 16, 16, panel);
    k->product(1, 1, 4, a, 4, 0, panel, 16, &q, NULL, 0, out, 16);
    ck_assert_mem_eq(out, expected, sizeof out);
    free(panel);
  }
}
END_TEST

/* The largest sums that a check at loading lets through: 2^31 - 1, and - 2^31. */
START_TEST(test_largest_sums) {
  enum { DEPTH = 66000 };
  uint8_t *a = room(DEPTH);
  int8_t *w = room((size_t)DEPTH * 16);
  memset(a, 255, DEPTH);
  for (int i = 0; i < DEPTH * 16; i++) {
    w[i] = 127;
    if (i % 2)
      w[i] = -127;
  }
  float multiplier[16];
  int32_t bias[16];
  for (int c = 0; c < 16; c++) {
    const int32_t sum = (c % 2 ? -127 : 127) * 255 * DEPTH;
    multiplier[c] = 0x1p-25f;
    bias[c] = c % 2 ? INT32_MIN - sum : INT32_MAX - sum;
  }
  const requantization q = {multiplier, bias, {128, 0, 255, NULL}, 0, 0};
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++) {
    uint8_t out[16];
    void *panel = room(k->panel_bytes(1, DEPTH, 16));
    k->pack_panel(w, 16, 1, DEPTH, 16, 16, panel);
    k->product(1, 1, DEPTH, a, DEPTH, 0, panel, 16, &q, NULL, 0, out, 16);
    for (int c = 0; c < 16; c++)
      ck_assert_int_eq(out[c], c % 2 ? 64 : 192);
    free(panel);
  }
  free(a);
  free(w);
}
END_TEST

/* ---- depthwise ---- */

typedef struct depthwise_case {
  depthwise_shape shape;
  int top, in_height, in_width, channels;
} depthwise_case;

/* A plane's value, or the zero point outside. */
static int value_at(const depthwise_case *d, const uint8_t *in, int y, int x, int c, int zero) {
  if (y < 0 || x < 0 || y >= d->in_height || x >= d->in_width)
    return zero;
  return in[(y * d->in_width + x) * d->channels + c];
}

/* The plane's rows under all outputs, laid; the caller frees them. */
static void lay_rows(const kernels_int8 *k, const depthwise_case *d, const uint8_t *in, int zero,
                     int n, int cells, uint8_t **laid) {
  for (int i = 0; i < n; i++) {
    const int y = i - d->top;
    const size_t bytes = (size_t)(cells * d->channels);
    laid[i] = room(bytes);
    if (y >= 0 && y < d->in_height)
      k->lay(&d->shape, in + y * d->in_width * d->channels, d->in_width, cells, d->channels, zero,
             laid[i]);
    else
      k->lay(&d->shape, NULL, 0, cells, d->channels, zero, laid[i]);
    is_guarded(laid[i], bytes);
  }
}

static void check_depthwise(const kernels_int8 *k, const depthwise_case *d, const output_case *o) {
  const depthwise_shape *s = &d->shape;
  const int products = s->height * s->breadth, used = d->channels - from_to(0, 5);
  const int out_height = (d->in_height + 2 * d->top - s->height) / s->down + 1;
  const int out_width = (d->in_width + 2 * s->left - s->breadth) / s->stride + 1;
  uint8_t *in = made_bytes((size_t)(d->in_height * d->in_width * d->channels));
  int8_t *w = made_weights((size_t)(products * used));
  requantization q = made_requantization(o, d->channels, products, w, used, used);
  const size_t filter_bytes = k->filter_bytes(s, d->channels);
  uint8_t *filter = room(filter_bytes);
  k->pack_filter(s, w, used, used, d->channels, filter);
  is_guarded(filter, filter_bytes);
  const int cells = k->laid_cells(s, out_width), n_rows = (out_height - 1) * s->down + s->height;
  uint8_t *laid[64];
  lay_rows(k, d, in, o->zero_in, n_rows, cells, laid);
  const size_t out_bytes = (size_t)(out_height * out_width * d->channels);
  uint8_t *out = room(out_bytes);
  k->depthwise(s, (const uint8_t *const *)laid, out_height, out_width, cells, d->channels, filter,
               &q, out, out_width * d->channels);
  is_guarded(out, out_bytes);
  for (int i = 0; i < out_height * out_width * d->channels; i++) {
    const int c = i % d->channels, x = i / d->channels % out_width;
    const int y = i / d->channels / out_width;
    int64_t sum = q.bias[c];
    if (c >= used)
      continue;
    for (int t = 0; t < products; t++)
      sum += value_at(d, in, y * s->down + t / s->breadth - d->top,
                      x * s->stride + t % s->breadth - s->left, c, o->zero_in) *
             w[t * used + c];
    const int expected = requantised(sum, &q, c, NULL);
    ck_assert_msg(out[i] == expected, "%s: %d x %d / %d: row %d cell %d channel %d is %d, not %d",
                  k->isa, s->height, s->breadth, s->stride, y, x, c, out[i], expected);
  }
  for (int i = 0; i < n_rows; i++)
    free(laid[i]);
  free(in);
  free(w);
  free(filter);
  free(out);
  free_requantization(&q);
}

START_TEST(test_depthwise) {
  /* clang-format off */
  static const depthwise_case cases[] = { /* height, breadth, down, stride, left */
    {{3, 3, 1, 1, 1}, 1,  9, 13, 16}, {{3, 3, 1, 1, 1}, 1,  4,  8, 48},
    {{3, 3, 2, 2, 1}, 1, 11,  9, 80}, {{3, 3, 2, 2, 0}, 0, 10, 31, 16},
    {{5, 5, 1, 1, 2}, 2,  7,  7, 32}, {{5, 5, 2, 2, 2}, 2, 14, 15, 64},
    {{5, 5, 2, 2, 1}, 1, 12, 12, 32}, {{7, 7, 1, 1, 3}, 3,  9,  6, 16},
    {{3, 3, 1, 2, 1}, 0,  5, 17, 16}, {{2, 3, 3, 3, 0}, 0, 10, 23, 32},
    {{1, 1, 1, 1, 0}, 0,  3,  5, 16}, {{4, 9, 1, 4, 4}, 2, 12, 40, 16},
    {{1, 6, 1, 5, 5}, 0,  2, 31, 48}, {{3, 3, 1, 1, 1}, 1,  1,  1, 32},
    {{3, 3, 1, 1, 0}, 0,  3, 19, 16},
  };
  /* clang-format on */
  const kernels_int8 *k;
  output_case o = output_cases[_i];
  o.has_residual = false;
  for (int i = 0; (k = kernels_int8_had(i)); i++)
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
      check_depthwise(k, &cases[c], &o);
}
END_TEST

/* ---- value by value ---- */

START_TEST(test_add) {
  const int sizes[] = {16, 64, 80, 1008};
  const output_case *o = &output_cases[_i];
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      const size_t n = (size_t)sizes[s];
      uint8_t *a = made_bytes(n), *b = made_bytes(n), *out = room(n);
      const float multiplier = o->spread / 73;
      const int32_t bias = -o->zero_in;
      const requantization q = {&multiplier, &bias, {o->zero, o->low, o->high, NULL}, 1.3f, 77};
      k->add(a, b, n, &q, out);
      is_guarded(out, n);
      for (size_t at = 0; at < n; at++)
        ck_assert_int_eq(out[at], requantised(a[at] + bias, &q, 0, &b[at]));
      free(a);
      free(b);
      free(out);
    }
}
END_TEST

START_TEST(test_multiply) {
  enum { CELLS = 3, CHANNELS = 80 };
  const output_case *o = &output_cases[_i];
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++)
    for (int stride = 0; stride <= CHANNELS; stride += CHANNELS) {
      const size_t n = CELLS * CHANNELS;
      uint8_t *a = made_bytes(n), *b = made_bytes(n), *out = room(n);
      int8_range range = {o->zero, o->low, o->high, NULL};
      if (o->has_table)
        range.table = made_table();
      const float multiplier = o->spread / 73 / 73;
      k->multiply(a, o->zero_in, b, 201, stride, CELLS, CHANNELS, multiplier, &range, out);
      is_guarded(out, n);
      for (int at = 0; at < CELLS * CHANNELS; at++) {
        const int other = b[at / CHANNELS * stride + at % CHANNELS];
        volatile float f = (float)((a[at] - o->zero_in) * (other - 201)) * multiplier;
        ck_assert_int_eq(out[at], byte_by_rule(f, &range));
      }
      free(a);
      free(b);
      free(out);
    }
}
END_TEST

START_TEST(test_affine) {
  enum { CELLS = 3, CHANNELS = 48 };
  const output_case *o = &output_cases[_i];
  float multiplier[CHANNELS], shift[CHANNELS];
  for (int c = 0; c < CHANNELS; c++) {
    multiplier[c] = o->spread / 73 * (float)from_to(-1000, 1000) / 700;
    shift[c] = (float)from_to(-1000, 1000) / 13;
  }
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++) {
    const int8_range range = {o->zero, o->low, o->high, made_table()};
    uint8_t *in = made_bytes(CELLS * CHANNELS), *out = room(CELLS * CHANNELS);
    k->affine(in, o->zero_in, CELLS, CHANNELS, multiplier, shift, &range, out);
    is_guarded(out, CELLS * CHANNELS);
    for (int at = 0; at < CELLS * CHANNELS; at++) {
      volatile float f = (float)(in[at] - o->zero_in) * multiplier[at % CHANNELS];
      f = f + shift[at % CHANNELS];
      ck_assert_int_eq(out[at], byte_by_rule(f, &range));
    }
    free(in);
    free(out);
  }
}
END_TEST

START_TEST(test_look_up) {
  enum { MOST = 300 };
  uint8_t *in = made_bytes(MOST);
  const uint8_t *table = made_table();
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++)
    for (size_t n = 0; n <= MOST; n += 1 + n / 3) {
      uint8_t *out = room(n);
      k->look_up(in, n, table, out);
      is_guarded(out, n);
      for (size_t at = 0; at < n; at++)
        ck_assert_int_eq(out[at], table[in[at]]);
      memcpy(out, in, n);
      k->look_up(out, n, table, out); /* in place */
      for (size_t at = 0; at < n; at++)
        ck_assert_int_eq(out[at], table[in[at]]);
      free(out);
    }
  free(in);
}
END_TEST

/* ---- pools and sums ---- */

START_TEST(test_pools) {
  enum { CHANNELS = 80, MOST = 49 };
  const output_case *o = &output_cases[_i];
  uint8_t *in = made_bytes(MOST * CHANNELS), *out = room(CHANNELS);
  const uint8_t *cells[MOST];
  for (int i = 0; i < MOST; i++)
    cells[i] = in + (i * 5 % MOST) * CHANNELS;
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++)
    for (int n = 1; n <= MOST; n += 6) {
      const int8_range range = {o->zero, o->low, o->high, NULL};
      const float multiplier = o->spread / 73 / (float)n;
      const int32_t bias = -n * o->zero_in;
      int32_t sums[CHANNELS + 1] = {[CHANNELS] = GUARD};
      k->sum_plane(in, n, CHANNELS, CHANNELS, sums);
      ck_assert_int_eq(sums[CHANNELS], GUARD);
      k->max_cells(cells, n, CHANNELS, out);
      is_guarded(out, CHANNELS);
      for (int c = 0; c < CHANNELS; c++) {
        int most = 0, sum = 0;
        for (int m = 0; m < n; m++) {
          most = cells[m][c] > most ? cells[m][c] : most;
          sum += in[m * CHANNELS + c];
        }
        ck_assert_int_eq(out[c], most);
        ck_assert_int_eq(sums[c], sum);
      }
      k->sum_cells(cells, n, CHANNELS, bias, multiplier, &range, out);
      is_guarded(out, CHANNELS);
      for (int c = 0; c < CHANNELS; c++) {
        int sum = bias;
        for (int m = 0; m < n; m++)
          sum += cells[m][c];
        volatile float f = (float)sum * multiplier;
        ck_assert_int_eq(out[c], byte_by_rule(f, &range));
      }
    }
  free(in);
  free(out);
}
END_TEST

START_TEST(test_requantise) {
  enum { CHANNELS = 80 };
  const output_case *o = &output_cases[_i];
  const int8_t none[CHANNELS] = {0};
  requantization q = made_requantization(o, CHANNELS, 1, none, 0, CHANNELS);
  int32_t sums[CHANNELS];
  for (int c = 0; c < CHANNELS; c++)
    sums[c] = from_to(-100000, 100000);
  uint8_t *out = room(CHANNELS);
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++) {
    k->requantise(sums, CHANNELS, &q, out);
    is_guarded(out, CHANNELS);
    for (int c = 0; c < CHANNELS; c++)
      ck_assert_int_eq(out[c], requantised(sums[c] + q.bias[c], &q, c, NULL));
  }
  free(out);
  free_requantization(&q);
}
END_TEST

START_TEST(test_dot_rows) {
  enum { ROWS = 5, MOST = 65536 };
  uint8_t *a = made_bytes(ROWS * MOST);
  int8_t *w = made_weights(MOST);
  const int depths[] = {1, 3, 16, 31, 100, 1280, MOST};
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++)
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
      int32_t out[ROWS + 1] = {[ROWS] = GUARD};
      k->dot_rows(a, ROWS, MOST, w, depths[d], out);
      ck_assert_int_eq(out[ROWS], GUARD);
      for (int r = 0; r < ROWS; r++) {
        int64_t sum = 0;
        for (int at = 0; at < depths[d]; at++)
          sum += a[r * MOST + at] * w[at];
        ck_assert_int_eq(out[r], sum);
      }
    }
  free(a);
  free(w);
}
END_TEST

/* ---- between float and int8 ---- */

START_TEST(test_quantize) {
  enum { CELLS = 3, CHANNELS = 20, STRIDE = 32 };
  const int zeros[] = {0, 127, 255};
  const float scale = 0.07f, multiplier = 1 / 0.07f;
  const float odd[] = {INFINITY, -INFINITY, 1e30f, -1e30f, -0.0f, 0.035f, 0.105f, NAN};
  float in[CELLS * STRIDE], back[CELLS * STRIDE];
  for (int i = 0; i < CELLS * STRIDE; i++)
    in[i] = (float)from_to(-15000, 15000) / 1000;
  memcpy(in, odd, sizeof odd);
  const kernels_int8 *k;
  for (int i = 0; (k = kernels_int8_had(i)); i++)
    for (int z = 0; z < 3; z++) {
      uint8_t *out = room(CELLS * STRIDE);
      k->quantize(in, STRIDE, CELLS, CHANNELS, multiplier, zeros[z], out, STRIDE);
      is_guarded(out, CELLS * STRIDE);
      k->dequantize(out, STRIDE, CELLS, CHANNELS, scale, zeros[z], back, STRIDE);
      for (int m = 0; m < CELLS; m++)
        for (int c = 0; c < CHANNELS; c++) {
          const int at = m * STRIDE + c;
          volatile float f = in[at] * multiplier;
          if (!isnan(f))
            ck_assert_int_eq(out[at], byte_by_rule(f, &(int8_range){zeros[z], 0, 255, NULL}));
          ck_assert(back[at] == (float)(out[at] - zeros[z]) * scale);
        }
      free(out);
    }
}
END_TEST

/* ---- choice ---- */

START_TEST(test_ceilings) {
  const kernels_int8 *best = NULL, *k = NULL;
  ck_assert(!kernels_int8_select(NULL, &best, NULL));
  ck_assert_ptr_eq(best, kernels_int8_had(0));
  ck_assert(!kernels_int8_select("", &k, NULL));
  ck_assert_ptr_eq(best, k);
  ck_assert(!kernels_int8_select("portable", &k, NULL));
#if defined __x86_64__ /* aarch64 knows one word for all that it has */
  ck_assert_str_eq(k->isa, "portable");
#endif
  if (!kernels_int8_select("x86-64-v3", &k, NULL))
    ck_assert(strcmp(k->isa, "avx512-vnni") && strcmp(k->isa, "x86-64-v4"));
  ck_assert_int_eq(kernels_int8_select("sse9", &k, NULL), CAM_E_PARAMETER);
}
END_TEST

static void set_seed(void) { seed = 1; }

Suite *kernels_int8_suite(void);
Suite *kernels_int8_suite(void) {
  Suite *suite = suite_create("kernels_int8");
  TCase *t = tcase_create("kernels_int8");
  tcase_set_tags(t, "alone");
  tcase_add_checked_fixture(t, set_seed, NULL);
  tcase_add_loop_test(t, test_product, 0, N_OUTPUT_CASES);
  tcase_add_loop_test(t, test_product_of_all_heights, 0, N_OUTPUT_CASES);
  tcase_add_test(t, test_ties);
  tcase_add_test(t, test_largest_sums);
  tcase_add_loop_test(t, test_depthwise, 0, N_OUTPUT_CASES);
  tcase_add_loop_test(t, test_add, 0, N_OUTPUT_CASES);
  tcase_add_loop_test(t, test_multiply, 0, N_OUTPUT_CASES);
  tcase_add_loop_test(t, test_affine, 0, N_OUTPUT_CASES);
  tcase_add_test(t, test_look_up);
  tcase_add_loop_test(t, test_pools, 0, N_OUTPUT_CASES);
  tcase_add_loop_test(t, test_requantise, 0, N_OUTPUT_CASES);
  tcase_add_test(t, test_dot_rows);
  tcase_add_test(t, test_quantize);
  tcase_add_test(t, test_ceilings);
  suite_add_tcase(suite, t);
  return suite;
}
