/* deflate.h - the zlib stream and the checksum inside a PNG. libdeflate is named in
 * engine/codec/deflate.c only. Thread: any. */
#ifndef DEFLATE_H
#define DEFLATE_H
#include <stddef.h>
#include <stdint.h>

/* Bytes that n bytes take at most, with what is scribbled beyond their end on the way. */
size_t deflate_bound(size_t n);

/* Writes bytes[0..n), n below 2^31, as a zlib stream (RFC 1950) to out, which has room for
 * deflate_bound(n) bytes; returns the bytes taken, 0 if there is no memory for it. Made for
 * filtered rows of pictures. The same bytes for the same input, whatever the machine, the thread or
 * what ran before. */
size_t deflate_zlib(const uint8_t *bytes, size_t n, uint8_t *out);

/* Bytes that deflate_zlib holds at most at any moment, `out` included. */
size_t deflate_work_bytes(size_t n);

/* CRC-32 of ISO 3309, as PNG and gzip use it. */
uint32_t deflate_crc32(const uint8_t *bytes, size_t n);

#endif
