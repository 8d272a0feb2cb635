/* resize.h - antialiased bicubic scaling of 8-bit pictures, to the bit what Pillow's
 * Image.resize(..., BICUBIC) gives (a = -0.5, support widened by the scale when shrinking,
 * horizontal then vertical pass, 8-bit between; fixed-point weights). Flow: decode -> [resize] ->
 * forward; also photo -> overlay. Thread: any, touches only its arguments. */
#ifndef RESIZE_H
#define RESIZE_H
#include "base/image.h"
#include "cam_error.h"

/* out is allocated at width x height (at least 1 each) and is the caller's. CAM_E_NO_MEMORY is the
 * only failure. in and out differ. */
cam_code resize_bicubic(const cam_image *in, int width, int height, cam_image *out,
                        cam_error *error);

#endif
