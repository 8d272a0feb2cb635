/* markers.h - from segment to segment of a JPEG, as libjpeg goes. ITU-T T.81, annex B. Thread: any.
 * Implemented in engine/photo/markers.c. */
#ifndef MARKERS_H
#define MARKERS_H
#include <stddef.h>
#include <stdint.h>

enum { /* second bytes of markers */
       SOF0 = 0xc0,
       SOF2 = 0xc2,
       DHT = 0xc4,
       JPG = 0xc8,
       DAC = 0xcc,
       SOF15 = 0xcf,
       RST0 = 0xd0,
       RST7 = 0xd7,
       SOI = 0xd8,
       EOI = 0xd9,
       SOS = 0xda,
       APP1 = 0xe1,
       APP2 = 0xe2,
       NO_MARKER = 0, /* the file ends, perhaps within a segment */
};

typedef struct jpeg_segment {
  int marker;
  const uint8_t *content; /* without its length; n is 0 for a marker that has none */
  size_t n;
} jpeg_segment;

/* The segment that begins at or after *at; *at is then behind it. Between segments anything is
 * passed over but a marker: bytes that are not 0xff, fill bytes, 0xff 0x00, and markers that stand
 * alone (restarts, TEM). SOI, EOI and reserved markers are returned as they are. */
jpeg_segment next_segment(const uint8_t *bytes, size_t n, size_t *at);

/* From the start of entropy-coded data to the marker after it, or n. */
size_t skip_scan_data(const uint8_t *bytes, size_t at, size_t n);

#endif
