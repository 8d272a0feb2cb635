/* jpeg.h - JPEG by libjpeg-turbo, which only engine/codec/jpeg.c names. Flow: probe -> [jpeg] ->
 * decode; picture -> [jpeg]. Thread: any; a call touches only its arguments. */
#ifndef JPEG_H
#define JPEG_H
#include "cam_engine.h"
#include "pixel_rows.h"

/* What a JPEG's headers say of it: all that the memory it takes depends on. */
typedef struct jpeg_shape {
  int width, height;      /* 1 to 65535 */
  int components;         /* 1 (grey), 3 or 4 */
  int across[4], down[4]; /* sampling factors of each component, 1 to 4 */
  bool several_scans;     /* progressive, or the first scan has not all components */
  size_t profile_bytes;   /* of APP2 segments, with 64 for each; 0: no profile is wanted */
} jpeg_shape;

typedef struct jpeg_picture {
  int width, height, channels; /* 3: RGB; 4: CMYK with 255 for no ink */
  bool grey;                   /* RGB whose three are equal */
  uint8_t *pixels;             /* [height,width,channels]; 4 readable bytes after the last */
  cam_bytes profile;           /* ICC; empty where there is none that is whole */
} jpeg_picture;
void jpeg_picture_free(jpeg_picture *picture); /* leaves it empty; an empty one is allowed */

/* Bytes that jpeg_decode holds at most at any moment, and those of the picture among them. */
size_t jpeg_work_bytes(const jpeg_shape *shape, int least_width, int least_height,
                       size_t *pixel_bytes);

/* Decodes bytes[0..n) of a probed photo; holds at most `budget` bytes at any moment, the result
 * included. The picture is the whole photo at 1, 1/2, 1/4 or 1/8 of its size (sides rounded up),
 * the smallest of them that has least_width and least_height; at 1 where none has. The pixels are
 * those of libjpeg's own defaults, on every CPU. Huffman tables that the file lacks are those of
 * ITU-T T.81 K.3, as in frames of Motion JPEG. Whatever follows the data of a whole picture is not
 * looked at. CAM_OK: *picture is the caller's, for jpeg_picture_free. Else it is empty and:
 * CAM_E_PHOTO (broken, or any data missing), CAM_E_FORMAT (of a kind that the library does not
 * read), CAM_E_BUDGET, CAM_E_DEADLINE (at `deadline`, seconds of CLOCK_MONOTONIC, it was not done;
 * 0: none), CAM_E_NO_MEMORY. */
cam_code jpeg_decode(const uint8_t *bytes, size_t n, const jpeg_shape *shape, int least_width,
                     int least_height, size_t budget, double deadline, jpeg_picture *picture,
                     cam_error *error);

/* The rows as a JPEG of quality 90. CAM_OK: out->data is the caller's, for free(). Else it is
 * empty: CAM_E_PIXELS (a side has more than 65500), CAM_E_NO_MEMORY. The same bytes for the same
 * picture, on every CPU. */
cam_code jpeg_encode(const pixel_rows *rows, cam_bytes *out, cam_error *error);

#endif
