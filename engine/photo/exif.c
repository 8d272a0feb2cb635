/* exif.c - the one EXIF tag that matters here: which way up the photo is. Flow: [exif] -> decode.
 * Thread: any. CIPA DC-008-2019 (Exif 2.32) 4.5-4.7, TIFF 6.0 section 2. Reads IFD0 only and
 * follows no other offset, so nothing can loop. */
#include "exif.h"
#include <stdbool.h>
#include <string.h>

enum {
  SOI = 0xd8,
  EOI = 0xd9,
  SOS = 0xda,
  APP1 = 0xe1,
  TAG_ORIENTATION = 0x0112,
  TYPE_SHORT = 3,
  ENTRY = 12
};

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

int exif_of_tiff(const uint8_t *tiff, size_t n) {
  if (n >= 6 && !memcmp(tiff, "Exif\0", 6)) {
    tiff += 6;
    n -= 6;
  }
  const int orientation = tiff_orientation(tiff, n);
  if (!orientation)
    return 1;
  return orientation;
}

int exif_orientation(const uint8_t *jpeg, size_t n) {
  if (n < 4 || jpeg[0] != 0xff || jpeg[1] != SOI)
    return 1;
  size_t at = 2;
  while (n - at >= 4) {
    if (jpeg[at] != 0xff || jpeg[at + 1] == 0xff) { /* padding between segments */
      at++;
      continue;
    }
    int marker = jpeg[at + 1];
    size_t length = number(jpeg + at + 2, 2, true);
    if (marker == SOS || marker == EOI || length < 2 || length > n - at - 2)
      return 1;
    const uint8_t *content = jpeg + at + 4;
    if (marker == APP1 && length >= 8 && !memcmp(content, "Exif\0", 6)) {
      int orientation = tiff_orientation(content + 6, length - 8);
      if (orientation)
        return orientation;
    }
    at += 2 + length;
  }
  return 1;
}
