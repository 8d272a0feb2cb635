/* png.h - rows of pixels -> a PNG file in memory (W3C, Portable Network Graphics, third edition):
 * one chunk of data, every row under the filter "average". Flow: overlay -> [png] -> picture.
 * Thread: any; the same bytes for the same picture, always. */
#ifndef PNG_H
#define PNG_H
#include "cam_engine.h"
#include "pixel_rows.h"

/* CAM_OK: out->data is the caller's, for free(). Else it is empty: CAM_E_PIXELS (rows of 2 GiB or
 * nearly so), CAM_E_NO_MEMORY. */
cam_code png_encode(const pixel_rows *rows, cam_bytes *out, cam_error *error);
#endif
