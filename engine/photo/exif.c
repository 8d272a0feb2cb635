/* exif.c - the one EXIF tag that matters here: which way up the photo is. Flow: [exif] -> decode.
 * Thread: any. CIPA DC-008-2019 (Exif 2.32) 4.5-4.7, TIFF 6.0 section 2. Reads IFD0 only and
 * follows no other offset, so nothing can loop. */
#include "exif.h"
#include "cam_minmax.h"
#include "markers.h"
#include <stdbool.h>
#include <string.h>

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY = 12 };

static uint32_t number(const uint8_t *p, int bytes, bool big) {
  uint32_t value = 0;
  for (int i = 0; i < bytes; i++) {
    const int place = big ? bytes - 1 - i : i;
    value |= (uint32_t)p[i] << 8 * place;
  }
  return value;
}

/* 1 to 8, or 0. tiff: from the byte order mark to the end of the segment. */
static int tiff_orientation(const uint8_t *tiff, size_t n) {
  if (n < 8)
    return 0;
  bool big = tiff[0] == 'M';
  if (memcmp(tiff, "MM\0*", 4) && memcmp(tiff, "II*\0", 4))
    return 0;
  size_t at = number(tiff + 4, 4, big);
  if (at > n || n - at < 2)
    return 0;
  size_t entries = number(tiff + at, 2, big), room = (n - at - 2) / ENTRY;
  const uint8_t *entry = tiff + at + 2;
  for (size_t i = 0; i < entries && i < room; i++, entry += ENTRY) {
    if (number(entry, 2, big) != TAG_ORIENTATION)
      continue;
    uint32_t value = number(entry + 8, 2, big);
    bool fits = number(entry + 2, 2, big) == TYPE_SHORT && number(entry + 4, 4, big) == 1 &&
                value >= 1 && value <= 8;
    if (fits)
      return (int)value;
    break;
  }
  return 0;
}

/* "Exif", NUL and a byte that should be NUL and at times is not: 6; else 0. */
static size_t name_bytes(const uint8_t *content, size_t n) {
  return n >= 6 && !memcmp(content, "Exif", 5) ? 6 : 0;
}

int exif_of_tiff(const uint8_t *tiff, size_t n) {
  const size_t name = name_bytes(tiff, n);
  return max_int(tiff_orientation(tiff + name, n - name), 1);
}

int exif_orientation(const uint8_t *jpeg, size_t n) {
  if (n < 2 || jpeg[0] != 0xff || jpeg[1] != SOI)
    return 1;
  size_t at = 2;
  for (;;) {
    const jpeg_segment segment = next_segment(jpeg, n, &at);
    if (segment.marker < SOF0 || segment.marker == SOI || segment.marker == EOI ||
        segment.marker == SOS)
      return 1;
    const size_t name = name_bytes(segment.content, segment.n);
    if (segment.marker != APP1 || !name)
      continue;
    const int orientation = tiff_orientation(segment.content + name, segment.n - name);
    if (orientation)
      return orientation;
  }
}
