/* picture.c - picture.h.   Flow: overlay -> [picture] -> png | jpeg -> reply.   Thread: any. */
#include "picture.h"
#include "cam_encoding.h"
#include "codec/jpeg.h"
#include "codec/png.h"
#include <stdlib.h>

static cam_code (*const encoders[CAM_PICTURE_COUNT])(const uint8_t *pixels, int width, int height,
                                                     int channels, cam_bytes *out,
                                                     cam_error *error) = {
    [CAM_PICTURE_PNG] = png_encode,
    [CAM_PICTURE_JPEG] = jpeg_encode,
};

/* The bytes become their own quoted text. */
static cam_code quote_base64(cam_bytes *bytes, cam_error *error) {
  const size_t length = cam_base64_length(bytes->size);
  char *text = malloc(length + 3);
  if (text) {
    text[0] = '"';
    cam_base64_encode(bytes->data, bytes->size, text + 1);
    text[length + 1] = '"';
    text[length + 2] = 0;
  }
  free(bytes->data);
  *bytes = text ? (cam_bytes){(uint8_t *)text, length + 2} : (cam_bytes){0};
  return text ? CAM_OK
              : cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu characters of base64", length);
}

cam_code picture_encode(cam_picture form, const uint8_t *pixels, int width, int height,
                        int channels, bool base64, cam_bytes *out, cam_error *error) {
  cam_code code = encoders[form](pixels, width, height, channels, out, error);
  return code || !base64 ? code : quote_base64(out, error);
}
