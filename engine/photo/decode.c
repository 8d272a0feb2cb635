/* decode.c - the bytes of a photo -> upright RGB pixels. Flow: formats -> probe_* -> decode_* ->
 * [decode] -> resize. Thread: any. */
#include "decode.h"
#include "cam_minmax.h"
#include "formats.h"

static bool lies_on_its_side(const cam_photo *photo) { return photo->orientation >= 5; }

cam_code photo_probe(const uint8_t *bytes, size_t n, const cam_limits *limits, cam_photo *photo,
                     cam_error *error) {
  *photo = (cam_photo){.orientation = 1};
  cam_code code = photo_identify(bytes, n, &photo->format, error);
  if (!code)
    code = photo_format_of(photo->format)->probe(bytes, n, limits, &photo->plan, error);
  if (code)
    return code;
  if (photo->plan.orientation)
    photo->orientation = photo->plan.orientation;
  photo->width = photo->plan.width;
  photo->height = photo->plan.height;
  if (lies_on_its_side(photo)) {
    photo->width = photo->plan.height;
    photo->height = photo->plan.width;
  }
  return CAM_OK;
}

/* A copy of the photo's plan with what is wanted of it. */
static photo_plan plan_for(const cam_photo *photo, int least_width, int least_height) {
  photo_plan plan = photo->plan;
  plan.least_width = least_width;
  plan.least_height = least_height;
  if (lies_on_its_side(photo)) {
    plan.least_width = least_height;
    plan.least_height = least_width;
  }
  return plan;
}

/* Turning holds the picture twice, three bytes a pixel. */
static size_t turning_bytes(size_t pixels) {
  enum { SLACK = 8 }; /* see cam_image */
  return 2 * (3 * pixels + SLACK);
}

size_t photo_work_bytes(const cam_photo *photo, int least_width, int least_height, size_t *image) {
  const photo_plan plan = plan_for(photo, least_width, least_height);
  size_t result;
  const size_t decoding = photo_format_of(photo->format)->work(&plan, &result);
  if (image)
    *image = result;
  if (photo->orientation == 1)
    return decoding;
  return max_size(decoding, turning_bytes(result / (size_t)plan.channels));
}

cam_code photo_decode(const uint8_t *bytes, size_t n, const cam_limits *limits, int least_width,
                      int least_height, cam_photo *photo, cam_error *error) {
  cam_image *image = &photo->image;
  photo_plan plan = plan_for(photo, least_width, least_height);
  plan.budget = min_size(photo_work_bytes(photo, least_width, least_height, NULL),
                         limits->decode_bytes);
  cam_code code = photo_format_of(photo->format)->decode(bytes, n, &plan, image, error);
  if (code || photo->orientation == 1)
    return code;
  const size_t both = turning_bytes((size_t)image->width * (size_t)image->height);
  if (both > limits->decode_bytes)
    code = cam_fail(error, CAM_E_BUDGET,
                    "turning the photo upright takes %zu bytes of memory; allowed are %zu", both,
                    limits->decode_bytes);
  else if (!image_turn(image, photo->orientation))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory to turn the photo upright");
  if (code)
    image_free(image);
  return code;
}
