/* picture.h - rows of pixels -> a file in memory, in the form and the size that were asked for.
 * Implemented in engine/render/picture.c. Thread: any. */
#ifndef PICTURE_H
#define PICTURE_H
#include "cam_engine.h"
#include "codec/pixel_rows.h"

enum { PICTURE_FIT_SIDE = 512 }; /* pixels: the longest side of size `fit` */

/* Sides of a photo's pictures; of `of` the sizes of photo and input are read. */
void picture_size(const cam_params *params, const cam_result *of, int *width, int *height);

/* Bytes that a file of this form and size has at most. */
uint64_t picture_most_bytes(cam_picture form, int width, int height, unsigned channels);

/* Bytes that picture_encode holds at any moment, its result included. */
uint64_t picture_work_bytes(cam_picture form, int width, int height, unsigned channels);

/* The same bytes for the same picture, always. CAM_OK: out->data is the caller's, for free(). Else
 * it is empty: CAM_E_PIXELS (a JPEG has at most 65500 pixels a side, a PNG less than 2 GiB of
 * rows), CAM_E_NO_MEMORY. */
cam_code picture_encode(cam_picture form, const pixel_rows *rows, cam_bytes *out, cam_error *error);

#endif
