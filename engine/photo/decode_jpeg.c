/* decode_jpeg.c - JPEG -> sRGB, by codec/jpeg.h. Flow: probe_jpeg -> [decode_jpeg] -> decode.
 * Thread: any. */
#include "decode_jpeg.h"
#include "cam_minmax.h"
#include "codec/jpeg.h"
#include "colour.h"
#include "flatten.h"

/* While colours are converted the library's memory is gone. */
size_t work_of_jpeg(const photo_plan *plan, size_t *result) {
  size_t work = jpeg_work_bytes(&plan->jpeg, plan->least_width, plan->least_height, result);
  const size_t profile = plan->jpeg.profile_bytes;
  if (profile)
    work = max_size(work, *result + profile + colour_work_bytes(profile));
  return work;
}

static colour_kind kind_of(const jpeg_picture *picture) {
  if (picture->channels == 4)
    return COLOUR_CMYK;
  return picture->grey ? COLOUR_GREY : COLOUR_RGB;
}

cam_code decode_jpeg(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                     cam_error *error) {
  jpeg_picture picture;
  cam_code code = jpeg_decode(bytes, n, &plan->jpeg, plan->least_width, plan->least_height,
                              plan->budget, plan->deadline, &picture, error);
  if (code)
    return code;
  const size_t count = (size_t)picture.width * (size_t)picture.height;
  const colour_space space = {
      .icc = picture.profile.data, .n = picture.profile.size, .deadline = plan->deadline};
  code = colour_to_srgb(&space, kind_of(&picture), picture.pixels, count, picture.channels,
                        plan_rest(plan, count * (size_t)picture.channels + space.n), error);
  if (!code) {
    *image = (cam_image){picture.width, picture.height, picture.pixels};
    picture.pixels = NULL;
    if (picture.channels == 4)
      trim_room(image);
  }
  jpeg_picture_free(&picture);
  return code;
}
