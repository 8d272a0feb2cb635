/* huffman.h - deflate (RFC 1951) with literals alone: each block has a Huffman code of its own and
 * no matches are looked for. Thread: any. Photographs after a PNG filter are noise with a peak:
 * matches cost most of a compressor's time there and gain nothing. */
#ifndef HUFFMAN_H
#define HUFFMAN_H
#include <stddef.h>
#include <stdint.h>

size_t huffman_bound(
    size_t n); /* bytes that n bytes take at most, with what the writer may scribble beyond */
/* Writes bytes[0..n) as blocks, the last one marked, to out; returns the bytes taken. */
size_t huffman_deflate(const uint8_t *bytes, size_t n, uint8_t *out);

#endif
