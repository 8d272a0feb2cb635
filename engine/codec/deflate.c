/* deflate.c - deflate.h: literals alone (huffman.h) for photographs, Intel's ISA-L (igzip) for
 * everything else. Flow: PNG rows -> [deflate] -> PNG.   Thread: any.
 *
 * The filtered rows of a photo repeat nothing: literals alone take less time there and fewer bytes.
 * Drawings, text, heat maps and flat pictures are the opposite: there igzip is many times smaller,
 * and faster too. What tells them apart is how well the filter predicts: it hits few bytes of a
 * photo exactly, and few within 2. A wrong guess costs bytes, nothing else. */
#include "deflate.h"
#include "cam_minmax.h"
#include "huffman.h"
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdlib.h>

/* % of the filtered bytes, of which a photo has fewer. Seen: exactly hit were 5 to 36 of photos, 55
 * to 100 of drawings; within 2 were 16 to 86 of photos, 89 to 100 of heat maps. */
enum { EXACT = 45, NEAR = 87 };

static bool is_photo(const uint8_t *bytes, size_t n) {
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

static uint8_t *literals_zlib(const uint8_t *bytes, size_t n, size_t *n_out) {
  uint8_t *out = malloc(2 + huffman_bound(n) + 4);
  if (!out)
    return NULL;
  out[0] = 0x78; /* RFC 1950: deflate, a window of 32 KB */
  out[1] = 0x01; /* fastest */
  uint8_t *end = out + 2 + huffman_deflate(bytes, n, out + 2);
  const uint32_t sum = isal_adler32(1, bytes, n);
  for (int i = 0; i < 4; i++)
    end[i] = (uint8_t)(sum >> (24 - 8 * i));
  *n_out = (size_t)(end + 4 - out);
  uint8_t *shorter = realloc(out, *n_out);
  return shorter ? shorter : out;
}

/* All that one run of igzip needs: zeroed, so that no byte of an answer can depend on what was in
 * memory before. Level 1 is its fastest with codes of the data's own; levels 2 and 3 save less than
 * 1 % of size. */
typedef struct igzip {
  struct isal_zstream stream;
  uint8_t level[ISAL_DEF_LVL1_MEDIUM] __attribute__((aligned(64)));
} igzip;

static void igzip_begin(igzip *run, const uint8_t *bytes, size_t n) {
  isal_deflate_init(&run->stream);
  run->stream.level = 1;
  run->stream.level_buf = run->level;
  run->stream.level_buf_size = sizeof run->level;
  run->stream.gzip_flag = IGZIP_ZLIB;
  run->stream.end_of_stream = 1;
  run->stream.next_in = (uint8_t *)(uintptr_t)bytes; /* only read */
  run->stream.avail_in = (uint32_t)n;
}

static uint8_t *igzip_zlib(const uint8_t *bytes, size_t n, size_t *n_out) {
  /* Room grows where it is not enough, so no bound of igzip's output is believed. */
  size_t room = n / 4 + 4096, used = 0;
  igzip *run = calloc(1, sizeof *run);
  uint8_t *out = NULL;
  if (!run)
    return NULL;
  igzip_begin(run, bytes, n);
  for (; run->stream.internal_state.state != ZSTATE_END; room += room / 2) {
    uint8_t *more = realloc(out, room);
    if (!more)
      goto failed;
    out = more;
    run->stream.next_out = out + used;
    run->stream.avail_out = (uint32_t)(room - used);
    if (isal_deflate(&run->stream) != COMP_OK)
      goto failed;
    used = room - run->stream.avail_out;
  }
  free(run);
  *n_out = used;
  return out;
failed:
  free(out);
  free(run);
  return NULL;
}

size_t deflate_work_bytes(size_t n) {
  enum { TABLES = 512 << 10 }; /* huffman.c's pairs, or what igzip needs */
  return huffman_bound(n) + TABLES;
}

uint8_t *deflate_zlib(const uint8_t *bytes, size_t n, size_t *n_out) {
  if (is_photo(bytes, n))
    return literals_zlib(bytes, n, n_out);
  return igzip_zlib(bytes, n, n_out);
}

uint32_t deflate_crc32(const uint8_t *bytes, size_t n) { return crc32_gzip_refl(0, bytes, n); }
