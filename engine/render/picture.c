/* picture.c - picture.h.   Flow: overlay -> [picture] -> png | jpeg -> reply.   Thread: any. */
#include "picture.h"
#include "cam_minmax.h"
#include "codec/deflate.h"
#include "codec/jpeg.h"
#include "codec/png.h"
#include <math.h>

/* Where nothing can be packed a PNG is its pixels, a filter byte a row and what frames them. */
static uint64_t most_of_png(uint64_t width, uint64_t height, unsigned channels) {
  const uint64_t raw = height * (1 + width * channels);
  return raw + raw / 64 + 1024;
}

/* Black and white noise was seen to take 1.13 bytes a pixel with colours, 0.97 in grey. */
static uint64_t most_of_jpeg(uint64_t width, uint64_t height, unsigned channels) {
  return width * height * (channels + 3) / 4 + 4096;
}

/* Two rows, and all of them filtered with room for their codes, before it is known how short they
 * are. */
static uint64_t png_writer_bytes(uint64_t width, uint64_t height, unsigned channels) {
  const uint64_t row = 1 + width * channels, raw = height * row;
  return 2 * row + raw + deflate_work_bytes(raw);
}

/* The file's room, and a half more when it has to grow; strips of rows. */
static uint64_t jpeg_writer_bytes(uint64_t width, uint64_t height, unsigned channels) {
  return most_of_jpeg(width, height, channels) * 5 / 2 + 64 * width * channels;
}

/* The forms of a picture: who writes it, how many bytes it has at
 * most, and how many its writer holds beside the pixels. */
static const struct {
  cam_code (*encode)(const pixel_rows *rows, cam_bytes *out, cam_error *error);
  uint64_t (*most)(uint64_t width, uint64_t height, unsigned channels);
  uint64_t (*work)(uint64_t width, uint64_t height, unsigned channels);
} forms[] = {
    [CAM_PICTURE_PNG] = {png_encode, most_of_png, png_writer_bytes},
    [CAM_PICTURE_JPEG] = {jpeg_encode, most_of_jpeg, jpeg_writer_bytes},
};
_Static_assert(sizeof forms / sizeof *forms == CAM_PICTURE_COUNT, "each form has its row");

cam_code picture_encode(cam_picture form, const pixel_rows *rows, cam_bytes *out,
                        cam_error *error) {
  return forms[form].encode(rows, out, error);
}

uint64_t picture_work_bytes(cam_picture form, int width, int height, unsigned channels) {
  return forms[form].work((uint64_t)width, (uint64_t)height, channels);
}

uint64_t picture_most_bytes(cam_picture form, int width, int height, unsigned channels) {
  return forms[form].most((uint64_t)width, (uint64_t)height, channels);
}

void picture_size(const cam_params *params, const cam_result *of, int *width, int *height) {
  *width = of->width;
  *height = of->height;
  switch (params->size) {
  case CAM_SIZE_INPUT:
    *width = of->input_width;
    *height = of->input_height;
    return;
  case CAM_SIZE_FIT: {
    const int longest = max_int(of->width, of->height);
    if (longest <= PICTURE_FIT_SIDE)
      return;
    *width = (int)fmax(1, floor((double)of->width * PICTURE_FIT_SIDE / longest + 0.5));
    *height = (int)fmax(1, floor((double)of->height * PICTURE_FIT_SIDE / longest + 0.5));
    return;
  }
  case CAM_SIZE_ORIGINAL:
  case CAM_SIZE_COUNT:
    return;
  }
}
