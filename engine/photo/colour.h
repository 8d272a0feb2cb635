/* colour.h - pixels of any colour space -> sRGB, by lcms2, which only engine/photo/colour.c names.
 * Flow: decode_jpeg | decode_png | decode_webp -> [colour] -> flatten. Thread: any; a call touches
 * only its arguments (its memory is counted per thread). ICC.1:2010, ICC.1:2001-04, PNG 11.3.2. */
#ifndef COLOUR_H
#define COLOUR_H
#include "cam_error.h"
#include <stddef.h>
#include <stdint.h>

enum { COLOUR_MOST_PROFILE = 4 << 20 /* bytes of a profile that is looked at */ };

typedef enum colour_kind {
  COLOUR_GREY, /* as RGB whose three are equal */
  COLOUR_RGB,
  COLOUR_CMYK, /* Adobe's, which everyone writes who writes any: 255 is no ink */
} colour_kind;

/* What a file says of its colours. Zero: nothing, which means sRGB. */
typedef struct colour_space {
  const uint8_t *icc; /* a profile of n bytes; borrowed. It goes before what follows */
  size_t n;
  double gamma;           /* PNG's gAMA: a sample is light to this power; 0: not said */
  double deadline;        /* seconds of CLOCK_MONOTONIC by which it must be done; 0: any */
  double chromaticity[8]; /* PNG's cHRM: x, y of white, red, green, blue; all 0: not said */
} colour_space;

/* Bytes that colour_to_srgb holds at most beside the pixels. */
size_t colour_work_bytes(size_t profile_bytes);

/* pixels [n,channels] -> sRGB, in place. channels: 3, or 4 whose fourth byte stays (alpha), or of
 * CMYK 4 that become 3, packed at the beginning. A profile that is broken, too large, of a kind
 * that does not fit the pixels, or equal to sRGB is ignored: the pixels stay, and CMYK becomes
 * colour by multiplication. A profile's perceptual table goes before its matrix, without
 * compensation of black, as in browsers. budget: bytes that may be held beside the pixels.
 * CAM_E_DEADLINE, CAM_E_BUDGET (it is less than colour_work_bytes, and more was needed),
 * CAM_E_NO_MEMORY. */
cam_code colour_to_srgb(const colour_space *space, colour_kind kind, uint8_t *pixels, size_t n,
                        int channels, size_t budget, cam_error *error);

#endif
