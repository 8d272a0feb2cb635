/* cam_encoding.h - SHA-256 and base64 (RFC 4648). Implemented in engine/base/encoding.c, which
 * alone names nettle. Any thread. */
#ifndef CAM_ENCODING_H
#define CAM_ENCODING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lower-case hexadecimal SHA-256 of bytes[0..n), with its NUL. */
void cam_sha256_hex(const uint8_t *bytes, size_t n, char out[65]);

size_t cam_base64_length(size_t n); /* characters that n bytes take, padded, without a NUL */
/* Writes cam_base64_length(n) characters to out, which is apart from the bytes; adds no NUL. */
void cam_base64_encode(const uint8_t *bytes, size_t n, char *out);
/* Decodes text[0..n), base64 or base64url (RFC 4648 sections 4 and 5, not mixed), into out, which
 * has room for n / 4 * 3 + 3 bytes. White space is skipped; the padding may be left out, all of it.
 * False if it is neither. */
bool cam_base64_decode(const char *text, size_t n, uint8_t *out, size_t *n_out);

/* Compares n bytes in a time that depends on n alone. */
bool cam_equal_constant_time(const void *a, const void *b, size_t n);

#endif
