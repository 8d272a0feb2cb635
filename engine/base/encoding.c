/* encoding.c - cam_encoding.h over nettle, but for writing base64. Any thread. */
#include "cam_encoding.h"
#include "clones.h"
#include <endian.h>
#include <nettle/base64.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

void cam_sha256_hex(const uint8_t *bytes, size_t n, char out[65]) {
  struct sha256_ctx sha;
  uint8_t digest[SHA256_DIGEST_SIZE];
  sha256_init(&sha);
  sha256_update(&sha, n, bytes);
  sha256_digest(&sha, sizeof digest, digest);
  for (size_t i = 0; i < sizeof digest; i++)
    snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

size_t cam_base64_length(size_t n) { return (n + 2) / 3 * 4; }

/* ---- base64, GROUPS of three bytes at a time ----
 * Each step is one loop over all groups, which the compiler makes as wide as the processor is; so
 * many, that a wide load does not wait for the narrow stores that it covers. */
enum { GROUPS = 256 };
typedef uint8_t v16u8 __attribute__((vector_size(16)));

/* Numbers whose bytes are a group's, the first one highest; above them anything. Reads 4 bytes
 * beyond the last group. */
static inline void load_groups(const uint8_t *bytes, v16u8 *fours) {
  for (int i = 0; i < GROUPS / 4; i++) {
    v16u8 four;
    memcpy(&four, bytes + 12 * i, sizeof four);
    fours[i] = __builtin_shufflevector(four, four, 2, 1, 0, 0, 5, 4, 3, 3, 8, 7, 6, 6, 11, 10, 9,
                                       9);
  }
}

/* The letters of values 0 to 63: five ranges, each a distance from its values. */
static inline char letter_of(uint8_t value) {
  enum { LOWER = 'a' - 26 - 'A', DIGIT = 'a' - 26 - ('0' - 52), PLUS = '0' - 52 - ('+' - 62) };
  enum { SLASH = '/' - 63 - ('+' - 62) };
  const uint8_t lower = value > 25, digit = value > 51, plus = value > 61, slash = value > 62;
  return (char)(value + 'A' + lower * LOWER - digit * DIGIT - plus * PLUS + slash * SLASH);
}

CLONES static void encode_groups(const uint8_t *bytes, char *out) {
  union {
    v16u8 fours[GROUPS / 4];
    uint32_t groups[GROUPS];
    uint8_t values[4 * GROUPS];
  } u;
  load_groups(bytes, u.fours);
  for (int i = 0; i < GROUPS; i++) {
    const uint32_t g = le32toh(u.groups[i]);
    u.groups[i] = htole32((g >> 18 & 63) | (g >> 12 & 63) << 8 | (g >> 6 & 63) << 16 |
                          (g & 63) << 24);
  }
  for (int i = 0; i < 4 * GROUPS; i++)
    out[i] = letter_of(u.values[i]);
}

void cam_base64_encode(const uint8_t *bytes, size_t n, char *out) {
  while (n >= 3 * GROUPS + 4) {
    encode_groups(bytes, out);
    bytes += 3 * GROUPS;
    out += 4 * GROUPS;
    n -= 3 * GROUPS;
  }
  base64_encode_raw(out, n, bytes);
}

/* Which alphabet it is shows at the two letters that differ; text with none of them is both. */
static bool is_url_alphabet(const char *text, size_t n) {
  return memchr(text, '-', n) || memchr(text, '_', n);
}

bool cam_base64_decode(const char *text, size_t n, uint8_t *out, size_t *n_out) {
  struct base64_decode_ctx context;
  if (is_url_alphabet(text, n))
    base64url_decode_init(&context);
  else
    base64_decode_init(&context);
  *n_out = n / 4 * 3 + 3;
  if (!base64_decode_update(&context, n_out, out, n, text))
    return false;
  if (!context.padding && (context.bits == 2 || context.bits == 4)) {
    /* Unpadded, with 2 or 4 bits beyond the last whole byte: with the padding that was left out,
     * nettle looks whether they are 0. */
    size_t none = context.bits / 2;
    if (!base64_decode_update(&context, &none, out + *n_out, context.bits / 2, "=="))
      return false;
  }
  return context.padding <= 2 && base64_decode_final(&context);
}

bool cam_equal_constant_time(const void *a, const void *b, size_t n) { return memeql_sec(a, b, n); }
