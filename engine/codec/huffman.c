/* huffman.c - huffman.h.   Flow: PNG rows -> deflate -> [huffman] -> PNG.   Thread: any; touches
 * only its arguments. */
#include "huffman.h"
#include "base/clones.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum {
  BLOCK = 128 << 10, /* bytes under one code: small enough to follow the picture, large enough to
                        repay its table of pairs */
  STORED_MOST = 65535,
  PAIRS_LEAST = 32 << 10, /* bytes from which on that table pays */
  PAIR_BITS = 27,         /* of a pair; its length is in the 5 above */
  LITERALS = 257,         /* 256 and the end of block */
  DISTANCES = 2,          /* none is used; some decoders want a complete code all the same */
  LONGEST = 13,           /* bits of a code: two fit PAIR_BITS, four and a byte's rest 64 */
  META = 19,
  META_LONGEST = 7,
  CODE_BYTES = 64, /* what a code takes, about */
  SLACK = 8        /* the writer stores 8 bytes at a time */
};
_Static_assert(2 * LONGEST <= PAIR_BITS && 2 * LONGEST < 1 << (32 - PAIR_BITS),
               "a pair and its length fit 32 bits");

typedef struct entry {
  uint16_t bits, length;
} entry; /* of a code, first bit lowest */

/* ---- writing bits ---- */
typedef struct writer {
  uint8_t *out;
  uint64_t held;
  unsigned n;
} writer; /* n bits held, fewer than 8 between calls of flush */

static inline void put(writer *w, uint64_t bits, unsigned n) {
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

/* ---- codes ---- */

/* Symbols that occur, rarest first (equal ones by value): two passes of a radix sort. Returns how
 * many. */
static int sort_symbols(const uint32_t *counts, int n, uint16_t *sorted) {
  uint16_t first[LITERALS];
  int used = 0;
  for (int shift = 0; shift < 16; shift += 8) {
    int starts[257] = {0};
    used = 0;
    for (int i = 0; i < n; i++)
      if (counts[i])
        starts[(counts[i] >> shift & 255) + 1]++, used++;
    for (int i = 1; i < 257; i++)
      starts[i] += starts[i - 1];
    if (!shift) {
      for (int i = 0; i < n; i++)
        if (counts[i])
          first[starts[counts[i] & 255]++] = (uint16_t)i;
    } else
      for (int i = 0; i < used; i++)
        sorted[starts[counts[first[i]] >> 8]++] = first[i];
  }
  return used;
}

/* Huffman's algorithm with two queues: leaves by rising count, and sums, which arise by rising
 * count. how_many[l]: codes of length l, those beyond `longest` cut to it and paid for by
 * lengthening shorter ones. */
static void code_lengths(const uint32_t *counts, const uint16_t *sorted, int used, int longest,
                         int *how_many) {
  uint32_t sums[LITERALS];
  int parents[2 * LITERALS], depths[LITERALS],
      leaf = 0, sum = 0, room = 1 << longest; /* node i: leaf i, or sum i - used */
  for (int made = 0; made < used - 1; made++) {
    sums[made] = 0;
    for (int k = 0; k < 2; k++) {
      const int take_leaf = leaf < used && (sum == made || counts[sorted[leaf]] <= sums[sum]);
      sums[made] += take_leaf ? counts[sorted[leaf]] : sums[sum];
      parents[take_leaf ? leaf++ : used + sum++] = made;
    }
  }
  memset(how_many, 0, ((size_t)longest + 1) * sizeof *how_many);
  depths[used - 2] = 0;
  for (int i = used - 3; i >= 0; i--)
    depths[i] = depths[parents[used + i]] + 1;
  for (int i = 0; i < used; i++) {
    const int depth = depths[parents[i]] + 1;
    how_many[depth < longest ? depth : longest]++;
  }
  for (int length = longest; length > 0; length--)
    room -= how_many[length] << (longest - length);
  for (; room < 0; room++) { /* one of the longest moves up beside the deepest shorter one, which
                                becomes one longer */
    int length = longest - 1;
    while (!how_many[length])
      length--;
    how_many[length]--;
    how_many[length + 1] += 2;
    how_many[longest]--;
  }
}

/* The canonical code (RFC 1951, 3.2.2) of at least two symbols; entries of absent ones have length
 * 0. */
static void make_code(const uint32_t *counts, int n, int longest, entry *code) {
  uint16_t sorted[LITERALS];
  int how_many[16], next[17] = {0};
  const int used = sort_symbols(counts, n, sorted);
  code_lengths(counts, sorted, used, longest, how_many);
  memset(code, 0, (size_t)n * sizeof *code);
  for (int length = longest, i = 0; length > 0; length--)
    for (int k = 0; k < how_many[length]; k++)
      code[sorted[i++]].length = (uint16_t)length;
  for (int length = 1; length <= longest; length++)
    next[length + 1] = (next[length] + how_many[length]) << 1;
  for (int i = 0; i < n; i++) {
    int value = code[i].length ? next[code[i].length]++ : 0;
    for (int bit = 0; bit < code[i].length; bit++, value >>= 1)
      code[i].bits = (uint16_t)(code[i].bits << 1 | (value & 1));
  }
}

/* ---- blocks ---- */

/* The lengths of a code as RFC 1951, 3.2.7 packs them: a length, or 16: the last one 3 to 6 times
 * more, 17, 18: zeros, 3 to 10 or 11 to 138. */
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

static void pack_lengths(packed *p, const uint8_t *lengths, int n) {
  p->n = 0;
  memset(p->counts, 0, sizeof p->counts);
  for (int i = 0, same; i < n; i += same) {
    const int most = lengths[i] ? 7 : 138;
    for (same = 1; same < most && i + same < n && lengths[i + same] == lengths[i];)
      same++;
    if (!lengths[i] && same >= 3)
      pack(p, same > 10 ? 18 : 17, same > 10 ? same - 11 : same - 3);
    else {
      pack(p, lengths[i], 0);
      if (same >= 4)
        pack(p, 16, same - 4);
      else
        same = 1;
    }
  }
}

/* A block's own code, before its data. */
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
  put(w, LITERALS - 257, 5);
  put(w, DISTANCES - 1, 5);
  put(w, (unsigned)n_order - 4, 4);
  for (int i = 0; i < n_order; i++)
    put(w, meta[order[i]].length, 3), flush(w);
  for (int i = 0; i < p.n; i++) {
    const int s = p.items[i].symbol;
    put(w, meta[s].bits, meta[s].length);
    if (s >= 16)
      put(w, p.items[i].extra, s == 16 ? 2 : s == 17 ? 3 : 7);
    flush(w);
  }
}

/* The code of each pair of bytes, the first in the low half of the index. A product, since not
 * every instruction set shifts each number by its own amount. */
CLONES static void make_pairs(const entry *code, uint32_t *pairs) {
  uint32_t bits[256], lengths[256], factors[256];
  for (int s = 0; s < 256; s++)
    bits[s] = code[s].bits, lengths[s] = (uint32_t)code[s].length << PAIR_BITS,
    factors[s] = 1u << code[s].length;
  for (int second = 0; second < 256; second++, pairs += 256)
    for (int first = 0; first < 256; first++)
      pairs[first] = (bits[first] + bits[second] * factors[first]) |
                     (lengths[first] + lengths[second]);
}

static inline uint32_t pair_at(const uint32_t *pairs, const uint8_t *bytes) {
  uint16_t both;
  memcpy(&both, bytes, sizeof both);
  return pairs[le16toh(both)];
}

/* pairs may be NULL. */
static void write_literals(writer *to, const entry *code, const uint32_t *pairs,
                           const uint8_t *bytes, size_t n) {
  const uint32_t mask = (1u << PAIR_BITS) - 1;
  writer w = *to;
  size_t i = 0;
  for (; pairs && i + 4 <= n; i += 4) {
    const uint32_t a = pair_at(pairs, bytes + i), b = pair_at(pairs, bytes + i + 2);
    put(&w, (a & mask) | (uint64_t)(b & mask) << (a >> PAIR_BITS),
        (a >> PAIR_BITS) + (b >> PAIR_BITS));
    flush(&w);
  }
  for (; i < n; i++)
    put(&w, code[bytes[i]].bits, code[bytes[i]].length), flush(&w);
  put(&w, code[256].bits, code[256].length);
  flush(&w);
  *to = w;
}

static void write_stored(writer *w, const uint8_t *bytes, size_t n, int last) {
  size_t part;
  do {
    part = n < STORED_MOST ? n : STORED_MOST;
    put(w, last && part == n, 3);
    w->n = (w->n + 7) & ~7u;
    flush(w);
    put(w, part | (part ^ 0xffff) << 16, 32);
    flush(w);
    memcpy(w->out, bytes, part);
    w->out += part;
    bytes += part;
  } while (n -= part);
}

/* How often each byte occurs, in a large block among one run in four; and once at least, so that
 * each has a code. */
static void count_bytes(const uint8_t *bytes, size_t n, uint32_t *counts) {
  enum { RUN = 64 };
  const size_t step = n < PAIRS_LEAST ? RUN : 4 * RUN;
  uint32_t quarters[4][256] = {
      0}; /* four, for a count that rises again at once waits for its store */
  for (size_t at = 0; at < n; at += step) {
    const size_t run = n - at < RUN ? n - at : RUN;
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
  put(w, (unsigned)last | 2u << 1, 3);
  flush(w);
  write_code(w, code);
  write_literals(w, code, pairs, bytes, n);
}

static void write_block(writer *w, const uint8_t *bytes, size_t n, int last, uint32_t *pairs) {
  const writer before = *w;
  if (n > CODE_BYTES)
    write_coded(w, bytes, n, last, pairs);
  if (n > CODE_BYTES && (size_t)(w->out - before.out) < n)
    return;
  *w = before; /* noise: as it is */
  write_stored(w, bytes, n, last);
}

/* While a block is tried it may take what LONGEST allows at most. Its code takes at most 3 + 14 +
 * 57 + 259 * 14 bits. */
size_t huffman_bound(size_t n) { return n / 8 * LONGEST + LONGEST + (n / BLOCK + 1) * 512 + SLACK; }

size_t huffman_deflate(const uint8_t *bytes, size_t n, uint8_t *out) {
  uint32_t *pairs = n < PAIRS_LEAST
                        ? NULL
                        : malloc(65536 * sizeof *pairs); /* without it is slower, not different */
  writer w = {out, 0, 0};
  size_t at = 0;
  do {
    const size_t part = n - at < BLOCK ? n - at : BLOCK;
    write_block(&w, bytes + at, part, at + part == n, pairs);
    at += part;
  } while (at < n);
  w.n = (w.n + 7) & ~7u;
  flush(&w);
  free(pairs);
  return (size_t)(w.out - out);
}
