/* huffman.h - deflate (RFC 1951) with literals alone: each block has a Huffman code of its own and
 * no matches are looked for. Thread: any. Photographs after a PNG filter are noise with a peak:
 * matches cost most of a compressor's time there and gain nothing. */
#ifndef HUFFMAN_H
#define HUFFMAN_H
#include <stddef.h>
#include <stdint.h>

/* Bytes that n bytes take at most, with what the writer may scribble beyond its end. */
size_t huffman_bound(size_t n);
/* Writes bytes[0..n) as blocks, the last one marked, to out, which has room for huffman_bound(n)
 * bytes; returns the bytes taken. n may be 0. */
size_t huffman_deflate(const uint8_t *bytes, size_t n, uint8_t *out);

#endif
