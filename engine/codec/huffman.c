/* huffman.c - huffman.h.   Flow: PNG rows -> deflate -> [huffman] -> PNG.   Thread: any; touches
 * only its arguments. */
#include "huffman.h"
#include "base/clones.h"
#include "cam_minmax.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum {
  /* Bytes under one code: few enough to follow the picture, enough to repay its table of pairs. */
  BLOCK = 128 << 10,
  STORED_MOST = 65535,
  PAIRS_LEAST = 32 << 10, /* bytes from which on that table pays */
  PAIR_LENGTH_BITS = 6,   /* of a pair, the lowest; its codes are in the 26 above */
  LITERALS = 257,         /* 256 and the end of block */
  DISTANCES = 2,          /* none is used; some decoders want a complete code all the same */
  LONGEST = 13,           /* bits of a code: two fit a pair, four and a byte's rest 64 */
  META = 19,
  META_LONGEST = 7,
  CODE_BYTES = 64, /* what a code takes, about */
  SLACK = 8        /* the writer stores 8 bytes at a time */
};
_Static_assert(2 * LONGEST + PAIR_LENGTH_BITS <= 32, "a pair and its length fit 32 bits");
_Static_assert(4 * LONGEST < 1 << PAIR_LENGTH_BITS, "so does the length of two pairs");

/* One symbol's code: `length` bits, the first of them lowest. */
typedef struct entry {
  uint16_t bits, length;
} entry;

/* ---- writing bits ---- */

/* Bits go into `held`, lowest first, and from there to `out` in whole bytes. After a flush fewer
 * than 8 are held, so up to 56 can be put before the next. */
typedef struct writer {
  uint8_t *out;
  uint64_t held;
  unsigned n; /* bits in held */
} writer;

static inline void put_bits(writer *w, uint64_t bits, unsigned n) {
  w->held |= bits << w->n;
  w->n += n;
}

static inline void flush(writer *w) {
  const uint64_t little = htole64(w->held);
  memcpy(w->out, &little, sizeof little);
  w->out += w->n / 8;
  w->held >>= w->n & ~7u;
  w->n &= 7;
}

/* The bits up to the next whole byte are 0. */
static void end_byte(writer *w) {
  w->n = (w->n + 7) & ~7u;
  flush(w);
}

/* ---- codes ----
 *
 * From counts to a code in three steps: symbols by rising count, how many codes of each length,
 * canonical values.
 *
 * The lengths. Huffman's algorithm joins the two rarest nodes into one, again and again, until one
 * is left: the root. A symbol's length is its depth below it. No priority queue is needed for that
 * (van Leeuwen, 1976): the leaves come sorted, and each sum is at least as large as the one made
 * before it. So there are two queues, each in rising order, and the rarest node is at the head of
 * one of them.
 *
 * Layout. n leaves give n - 1 sums; a sum's index is the order in which it is made, n - 2 is the
 * root. leaf_parents[i] is the sum that leaf i became part of, sum_parents[i] that of sum i.
 *
 * Invariant. Before sum `made` is made, the leaves below `leaf` and the sums below `sum` have their
 * parents, sum <= made, and the (n - leaf) + (made - sum) nodes that wait are n - made. A parent is
 * made after its children, so sum_parents[i] > i: one walk from the root down meets each sum after
 * its parent, and depths need neither recursion nor nodes with pointers.
 *
 * Which symbol has which depth is not kept, only how many have it: the longest codes are handed to
 * the rarest symbols, in their sorted order.
 *
 * The limit. Lengths l of a complete code satisfy sum of 2^-l = 1 (Kraft). Counted in units of
 * 2^-longest, a code cut to `longest` takes one unit where it took less, and the sum is too large
 * by some units. A step takes one of them back: a code shorter than `longest`, the deepest there
 * is, becomes two codes one longer (the sum stays), the second of which replaces a code of
 * `longest` (one unit less). The number of codes stays, too. */

/* One pass of a radix sort, by 8 bits of the count; symbols of equal bits keep their order. */
static void sort_pass(const uint32_t *counts, int shift, const uint16_t *from, int n,
                      uint16_t *to) {
  int starts[257] = {0};
  for (int i = 0; i < n; i++)
    starts[(counts[from[i]] >> shift & 255) + 1]++;
  for (int i = 1; i < 257; i++)
    starts[i] += starts[i - 1];
  for (int i = 0; i < n; i++)
    to[starts[counts[from[i]] >> shift & 255]++] = from[i];
}

/* Symbols that occur, rarest first, equal ones by value. Counts are below 2^16. Returns how many.
 */
static int sort_symbols(const uint32_t *counts, int n, uint16_t *sorted) {
  uint16_t listed[LITERALS] = {0}, by_low_byte[LITERALS];
  int used = 0;
  for (int i = 0; i < n; i++)
    if (counts[i])
      listed[used++] = (uint16_t)i;
  sort_pass(counts, 0, listed, used, by_low_byte);
  sort_pass(counts, 8, by_low_byte, used, sorted);
  return used;
}

/* Each node's parent, for the n >= 2 symbols in sorted[]. */
static void join_rarest(const uint32_t *counts, const uint16_t *sorted, int n, int *leaf_parents,
                        int *sum_parents) {
  uint32_t sums[LITERALS];
  int leaf = 0, sum = 0; /* heads of the two queues */
  for (int made = 0; made < n - 1; made++) {
    sums[made] = 0;
    for (int child = 0; child < 2; child++)
      if (leaf < n && (sum == made || counts[sorted[leaf]] <= sums[sum])) {
        sums[made] += counts[sorted[leaf]];
        leaf_parents[leaf++] = made;
      } else {
        sums[made] += sums[sum];
        sum_parents[sum++] = made;
      }
  }
}

/* Brings how_many[1..longest], whose Kraft sum may be too large, to a complete code. */
static void limit_lengths(int *how_many, int longest) {
  int over = -(1 << longest); /* in units of 2^-longest */
  for (int length = 1; length <= longest; length++)
    over += how_many[length] << (longest - length);
  for (; over > 0; over--) {
    int length = longest - 1;
    while (!how_many[length])
      length--;
    how_many[length]--;
    how_many[length + 1] += 2;
    how_many[longest]--;
  }
}

/* how_many[l], l of 0..longest: codes of l bits for the n >= 2 symbols in sorted[]. */
static void code_lengths(const uint32_t *counts, const uint16_t *sorted, int n, int longest,
                         int *how_many) {
  int leaf_parents[LITERALS], sum_parents[LITERALS], depths[LITERALS];
  join_rarest(counts, sorted, n, leaf_parents, sum_parents);
  depths[n - 2] = 0;
  for (int i = n - 3; i >= 0; i--)
    depths[i] = depths[sum_parents[i]] + 1;
  memset(how_many, 0, ((size_t)longest + 1) * sizeof *how_many);
  for (int i = 0; i < n; i++)
    how_many[min_int(depths[leaf_parents[i]] + 1, longest)]++;
  limit_lengths(how_many, longest);
}

/* The lowest `length` bits of value, the last one first. */
static uint16_t reverse_bits(int value, int length) {
  uint16_t reversed = 0;
  for (int bit = 0; bit < length; bit++) {
    reversed = (uint16_t)(reversed << 1 | (value & 1));
    value >>= 1;
  }
  return reversed;
}

/* The canonical code (RFC 1951, 3.2.2) of at least two symbols: values rise with the length and,
 * within a length, with the symbol. Entries of absent symbols have length 0. */
static void make_code(const uint32_t *counts, int n, int longest, entry *code) {
  uint16_t sorted[LITERALS];
  int how_many[LONGEST + 1], next[LONGEST + 2] = {0};
  const int used = sort_symbols(counts, n, sorted);
  code_lengths(counts, sorted, used, longest, how_many);
  memset(code, 0, (size_t)n * sizeof *code);
  const uint16_t *rarest = sorted;
  for (int length = longest; length > 0; length--)
    for (int k = 0; k < how_many[length]; k++)
      code[*rarest++].length = (uint16_t)length;
  for (int length = 1; length <= longest; length++)
    next[length + 1] = (next[length] + how_many[length]) << 1;
  for (int i = 0; i < n; i++)
    if (code[i].length)
      code[i].bits = reverse_bits(next[code[i].length]++, code[i].length);
}

/* ---- blocks ---- */

/* The lengths of a code as RFC 1951, 3.2.7 packs them: a length itself, or a symbol for a run of
 * them, with extra bits that say how long it is. */
enum {
  AGAIN = 16,      /* the length before, 3 to 6 times more */
  ZEROS = 17,      /* 3 to 10 */
  MANY_ZEROS = 18, /* 11 to 138 */
  AGAIN_LEAST = 3,
  AGAIN_MOST = 6,
  ZEROS_LEAST = 3,
  MANY_ZEROS_LEAST = 11,
  MANY_ZEROS_MOST = 138
};
static const uint8_t extra_bits[META] = {[AGAIN] = 2, [ZEROS] = 3, [MANY_ZEROS] = 7};

typedef struct packed {
  int n;
  struct {
    uint8_t symbol, extra;
  } items[LITERALS + DISTANCES];
  uint32_t counts[META];
} packed;

static void pack(packed *p, int symbol, int extra) {
  p->items[p->n].symbol = (uint8_t)symbol;
  p->items[p->n++].extra = (uint8_t)extra;
  p->counts[symbol]++;
}

/* How often lengths[0] stands in a row, at most `most` times. */
static int run_length(const uint8_t *lengths, int n, int most) {
  int same = 1;
  while (same < n && same < most && lengths[same] == lengths[0])
    same++;
  return same;
}

/* Packs the beginning of lengths[0..n); returns how many of them. */
static int pack_run(packed *p, const uint8_t *lengths, int n) {
  if (!lengths[0]) {
    const int zeros = run_length(lengths, n, MANY_ZEROS_MOST);
    if (zeros >= MANY_ZEROS_LEAST)
      pack(p, MANY_ZEROS, zeros - MANY_ZEROS_LEAST);
    else if (zeros >= ZEROS_LEAST)
      pack(p, ZEROS, zeros - ZEROS_LEAST);
    if (zeros >= ZEROS_LEAST)
      return zeros;
  }
  const int again = run_length(lengths, n, 1 + AGAIN_MOST) - 1;
  pack(p, lengths[0], 0);
  if (again < AGAIN_LEAST)
    return 1;
  pack(p, AGAIN, again - AGAIN_LEAST);
  return 1 + again;
}

static void pack_lengths(packed *p, const uint8_t *lengths, int n) {
  p->n = 0;
  memset(p->counts, 0, sizeof p->counts);
  for (int i = 0; i < n;)
    i += pack_run(p, lengths + i, n - i);
}

/* A block's own code, before its data: the lengths, packed, in a code of their own, whose lengths
 * stand first, in an order that leaves the rare ones to the end. */
static void write_code(writer *w, const entry *code) {
  static const uint8_t order[META] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
  uint8_t lengths[LITERALS + DISTANCES];
  packed p;
  entry meta[META];
  int n_order = META;
  for (int i = 0; i < LITERALS; i++)
    lengths[i] = (uint8_t)code[i].length;
  for (int i = 0; i < DISTANCES; i++)
    lengths[LITERALS + i] = 1;
  pack_lengths(&p, lengths, LITERALS + DISTANCES);
  make_code(p.counts, META, META_LONGEST, meta);
  while (!meta[order[n_order - 1]].length)
    n_order--;
  put_bits(w, LITERALS - 257, 5);
  put_bits(w, DISTANCES - 1, 5);
  put_bits(w, (unsigned)n_order - 4, 4);
  for (int i = 0; i < n_order; i++) {
    put_bits(w, meta[order[i]].length, 3);
    flush(w);
  }
  for (int i = 0; i < p.n; i++) {
    const int symbol = p.items[i].symbol;
    put_bits(w, meta[symbol].bits, meta[symbol].length);
    put_bits(w, p.items[i].extra, extra_bits[symbol]);
    flush(w);
  }
}

/* The codes of each pair of bytes, one after the other, above their length; the index is the pair
 * as it lies in memory, the first byte in the low half. The second code is moved up by a product,
 * since not every instruction set shifts each number by its own amount. */
CLONES static void make_pairs(const entry *code, uint32_t *pairs) {
  uint32_t bits[256], factors[256];
  for (int s = 0; s < 256; s++) {
    bits[s] = (uint32_t)code[s].bits << PAIR_LENGTH_BITS | code[s].length;
    factors[s] = 1u << code[s].length;
  }
  for (int second = 0; second < 256; second++) {
    const uint32_t second_bits = (uint32_t)code[second].bits << PAIR_LENGTH_BITS;
    const uint32_t second_length = code[second].length;
    for (int first = 0; first < 256; first++)
      pairs[256 * second + first] = bits[first] + second_bits * factors[first] + second_length;
  }
}

/* Codes one after the other: `n` bits. */
typedef struct codes {
  uint64_t bits;
  unsigned n;
} codes;

static inline uint32_t pair_at(const uint32_t *pairs, const uint8_t *bytes) {
  uint16_t both;
  memcpy(&both, bytes, sizeof both);
  return pairs[le16toh(both)];
}

/* Of four bytes. The length stands lowest in a pair, where a shift by a register (which takes its
 * lowest six bits) and the sum of two find it without a mask. */
static inline codes four_at(const uint32_t *pairs, const uint8_t *bytes) {
  enum { LENGTH = (1 << PAIR_LENGTH_BITS) - 1 };
  const uint32_t a = pair_at(pairs, bytes), b = pair_at(pairs, bytes + 2);
  return (codes){(uint64_t)(b >> PAIR_LENGTH_BITS) << (a & LENGTH) | a >> PAIR_LENGTH_BITS,
                 (a + b) & LENGTH};
}

/* Eight bytes: nearly always both halves fit what is held. */
static inline void put_eight(writer *w, const uint32_t *pairs, const uint8_t *bytes) {
  const codes a = four_at(pairs, bytes), b = four_at(pairs, bytes + 4);
  put_bits(w, a.bits, a.n);
  if (__builtin_expect(w->n + b.n > 63, 0))
    flush(w);
  put_bits(w, b.bits, b.n);
  flush(w);
}

/* pairs may be NULL. */
CLONES static void write_literals(writer *to, const entry *code, const uint32_t *pairs,
                                  const uint8_t *bytes, size_t n) {
  writer w = *to;
  size_t i = 0;
  for (; pairs && i + 8 <= n; i += 8)
    put_eight(&w, pairs, bytes + i);
  for (; i < n; i++) {
    put_bits(&w, code[bytes[i]].bits, code[bytes[i]].length);
    flush(&w);
  }
  put_bits(&w, code[256].bits, code[256].length);
  flush(&w);
  *to = w;
}

static void write_stored(writer *w, const uint8_t *bytes, size_t n, int last) {
  do {
    const size_t part = min_size(n, STORED_MOST);
    put_bits(w, last && part == n, 3);
    end_byte(w);
    put_bits(w, part | (part ^ 0xffff) << 16, 32);
    flush(w);
    memcpy(w->out, bytes, part);
    w->out += part;
    bytes += part;
    n -= part;
  } while (n);
}

/* How often each byte occurs, in a large block among one run in four; and once at least, so that
 * each has a code. */
static void count_bytes(const uint8_t *bytes, size_t n, uint32_t *counts) {
  enum { RUN = 64 };
  const size_t step = n < PAIRS_LEAST ? RUN : 4 * RUN;
  /* Four counts of each byte: one that rises again at once would wait for its store. */
  uint32_t quarters[4][256] = {0};
  for (size_t at = 0; at < n; at += step) {
    const size_t run = min_size(n - at, RUN);
    size_t i = at;
    for (; i + 4 <= at + run; i += 4)
      for (size_t k = 0; k < 4; k++)
        quarters[k][bytes[i + k]]++;
    for (; i < at + run; i++)
      quarters[0][bytes[i]]++;
  }
  for (int s = 0; s < 256; s++)
    counts[s] = 1 + quarters[0][s] + quarters[1][s] + quarters[2][s] + quarters[3][s];
}
_Static_assert(BLOCK / 4 + 64 + 1 <= UINT16_MAX, "counts are sorted as 16 bits");

static void write_coded(writer *w, const uint8_t *bytes, size_t n, int last, uint32_t *pairs) {
  uint32_t counts[LITERALS];
  entry code[LITERALS];
  count_bytes(bytes, n, counts);
  counts[256] = 1;
  make_code(counts, LITERALS, LONGEST, code);
  if (n < PAIRS_LEAST)
    pairs = NULL;
  if (pairs)
    make_pairs(code, pairs);
  put_bits(w, (unsigned)last | 2u << 1, 3);
  flush(w);
  write_code(w, code);
  write_literals(w, code, pairs, bytes, n);
}

/* A block under a code, or, where that saves nothing (noise), as it is. */
static void write_block(writer *w, const uint8_t *bytes, size_t n, int last, uint32_t *pairs) {
  const writer before = *w;
  if (n > CODE_BYTES) {
    write_coded(w, bytes, n, last, pairs);
    if ((size_t)(w->out - before.out) < n)
      return;
    *w = before;
  }
  write_stored(w, bytes, n, last);
}

/* While a block is tried it may take what LONGEST allows at most. Its code takes at most 3 + 14 +
 * 57 + 259 * 14 bits. */
size_t huffman_bound(size_t n) { return n / 8 * LONGEST + LONGEST + (n / BLOCK + 1) * 512 + SLACK; }

size_t huffman_deflate(const uint8_t *bytes, size_t n, uint8_t *out) {
  uint32_t *pairs = NULL; /* where there is no memory for it, writing is slower, not different */
  writer w = {out, 0, 0};
  size_t at = 0;
  if (n >= PAIRS_LEAST)
    pairs = malloc(65536 * sizeof *pairs);
  do {
    const size_t part = min_size(n - at, BLOCK);
    write_block(&w, bytes + at, part, at + part == n, pairs);
    at += part;
  } while (at < n);
  end_byte(&w);
  free(pairs);
  return (size_t)(w.out - out);
}
