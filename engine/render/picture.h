/* picture.h - pixels -> a file in memory, in the form that was asked for. Implemented in
 * engine/render/picture.c. Thread: any. */
#ifndef PICTURE_H
#define PICTURE_H
#include "cam_engine.h"
/* pixels [height,width,channels], channels 1 (grey) or 3 (RGB). With base64 the result is the file
 * as base64 text in double quotes with a NUL (see cam_params.base64). The same bytes for the same
 * picture, always. CAM_OK: out->data is the caller's, for free(). Else it is empty: CAM_E_PIXELS (a
 * JPEG has at most 65500 pixels a side), CAM_E_NO_MEMORY. */
cam_code picture_encode(cam_picture form, const uint8_t *pixels, int width, int height,
                        int channels, bool base64, cam_bytes *out, cam_error *error);
#endif
