/* encoding.c - cam_encoding.h over nettle. Any thread. */
#include "cam_encoding.h"
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

void cam_base64_encode(const uint8_t *bytes, size_t n, char *out) {
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
