/* png.h - pixels -> a PNG file in memory: stb_image_write for the format, libdeflate for deflate
 * and CRC through its hooks (engine/codec/png.c names the first, engine/codec/deflate.c the
 * second). Thread: any; the same bytes for the same picture, always. */
#ifndef PNG_H
#define PNG_H
#include "cam_engine.h"
/* pixels [height,width,channels], channels 1 (grey) or 3 (RGB). CAM_OK: out->data is the caller's,
 * for free(). Else: CAM_E_PIXELS (rows of 2^31 - 1 bytes or more), CAM_E_NO_MEMORY. */
cam_code png_encode(const uint8_t *pixels, int width, int height, int channels, cam_bytes *out,
                    cam_error *error);
#endif
