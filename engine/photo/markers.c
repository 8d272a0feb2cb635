/* markers.c - from segment to segment of a JPEG, as libjpeg goes. Flow: [markers] -> exif |
 * probe_jpeg. Thread: any. */
#include "markers.h"
#include <stdbool.h>
#include <string.h>

enum { TEM = 0x01 };

static bool stands_alone(int marker) {
  return marker == 0 || marker == TEM || (marker >= RST0 && marker <= RST7);
}

jpeg_segment next_segment(const uint8_t *bytes, size_t n, size_t *at) {
  jpeg_segment segment = {.marker = NO_MARKER};
  size_t i = *at;
  *at = n;
  int marker = 0;
  while (stands_alone(marker)) {
    while (i < n && bytes[i] != 0xff)
      i++;
    while (i < n && bytes[i] == 0xff)
      i++;
    if (i == n)
      return segment;
    marker = bytes[i++];
  }
  if (marker < SOF0 || marker == SOI || marker == EOI) {
    segment.marker = marker;
    *at = i;
    return segment;
  }
  if (n - i < 2)
    return segment;
  const size_t length = (size_t)bytes[i] << 8 | bytes[i + 1];
  if (length < 2 || length > n - i)
    return segment;
  *at = i + length;
  return (jpeg_segment){marker, bytes + i + 2, length - 2};
}

size_t skip_scan_data(const uint8_t *bytes, size_t at, size_t n) {
  while (at < n) {
    const uint8_t *p = memchr(bytes + at, 0xff, n - at);
    if (!p)
      return n;
    size_t code = (size_t)(p - bytes) + 1;
    while (code < n && bytes[code] == 0xff)
      code++;
    if (code == n)
      return n;
    if (bytes[code] && (bytes[code] < RST0 || bytes[code] > RST7))
      return (size_t)(p - bytes);
    at = code + 1;
  }
  return n;
}
