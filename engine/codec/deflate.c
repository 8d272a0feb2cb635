/* deflate.c - deflate.h: literals alone (huffman.h) for photographs, libdeflate for everything
 * else. Flow: PNG rows -> [deflate] -> PNG.   Thread: any.
 *
 * The filtered rows of a photo repeat nothing: literals alone take less time there and fewer bytes.
 * Drawings, text, heat maps and flat pictures are the opposite: there matches make it many times
 * smaller. What tells them apart is how well the filter predicts: it hits few bytes of a
 * photo exactly, and few within 2. A wrong guess costs bytes, nothing else. */
#include "deflate.h"
#include "base/clones.h"
#include "cam_minmax.h"
#include "huffman.h"
#include <libdeflate.h>
#include <stdbool.h>

/* % of the filtered bytes, of which a photo has fewer. Seen: exactly hit were 5 to 36 of photos, 55
 * to 100 of drawings; within 2 were 16 to 86 of photos, 89 to 100 of heat maps. */
enum { EXACT = 45, NEAR = 87 };

CLONES static bool is_photo(const uint8_t *bytes, size_t n) {
  enum { RUN = 64, STEP = 8 * RUN }; /* every eighth run of bytes is looked at */
  unsigned exact = 0, near = 0, seen = 0;
  for (size_t at = 0; at < n; at += STEP) {
    const unsigned run = (unsigned)min_size(n - at, RUN);
    for (unsigned i = 0; i < run; i++) {
      exact += !bytes[at + i];
      near += (uint8_t)(bytes[at + i] + 2) <= 4;
    }
    seen += run;
  }
  return (uint64_t)exact * 100 < (uint64_t)seen * EXACT &&
         (uint64_t)near * 100 < (uint64_t)seen * NEAR;
}

static size_t literals_zlib(const uint8_t *bytes, size_t n, uint8_t *out) {
  out[0] = 0x78; /* RFC 1950: deflate, a window of 32 KB */
  out[1] = 0x01; /* fastest */
  uint8_t *end = out + 2 + huffman_deflate(bytes, n, out + 2);
  const uint32_t sum = libdeflate_adler32(1, bytes, n);
  for (int i = 0; i < 4; i++)
    end[i] = (uint8_t)(sum >> (24 - 8 * i));
  return (size_t)(end + 4 - out);
}

/* Its fastest level: drawings and heat maps take few bytes at any. */
static size_t matches_zlib(const uint8_t *bytes, size_t n, uint8_t *out) {
  enum { LEVEL = 1 };
  struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(LEVEL);
  if (!compressor)
    return 0;
  const size_t size = libdeflate_zlib_compress(compressor, bytes, n, out, deflate_bound(n));
  libdeflate_free_compressor(compressor);
  return size;
}

size_t deflate_bound(size_t n) {
  return max_size(2 + huffman_bound(n) + 4, libdeflate_zlib_compress_bound(NULL, n));
}

size_t deflate_work_bytes(size_t n) {
  enum { TABLES = 512 << 10 }; /* huffman.c's pairs, or what libdeflate needs */
  return deflate_bound(n) + TABLES;
}

size_t deflate_zlib(const uint8_t *bytes, size_t n, uint8_t *out) {
  if (is_photo(bytes, n))
    return literals_zlib(bytes, n, out);
  return matches_zlib(bytes, n, out);
}

uint32_t deflate_crc32(const uint8_t *bytes, size_t n) { return libdeflate_crc32(0, bytes, n); }
