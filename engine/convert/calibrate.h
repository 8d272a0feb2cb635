/* calibrate.h - photos through a network in float32: what values each node gives, and, to compare
 * with, logits and a class map of each. Flow: photos -> decode -> resize -> forward -> [calibrate]
 * -> quantize; then model file -> compared. One thread at a time; it has a team. */
#ifndef CALIBRATE_H
#define CALIBRATE_H
#include "base/image.h"
#include "cam_convert.h"
#include "ranges.h"

enum {
  CALIBRATION_PHOTOS = 1000, /* at most: they are kept, as small as the network sees them */
  ENOUGH_PHOTOS = 20         /* fewer: a warning */
};

/* What a photo came to. */
typedef struct calibrated_photo {
  cam_image input; /* as the network sees it, 8-bit RGB */
  float *logits;   /* [classes] */
  int class_id;    /* the largest */
  int map_height, map_width;
  float *map; /* of that class */
} calibrated_photo;

typedef struct calibration {
  ranges seen;
  int n;
  calibrated_photo *photos; /* [n] */
} calibration;

/* Runs all of options->photo through the graph. Needs calibration_free whatever the code.
 * CAM_E_PARAMETER: there is none that can be read; CAM_E_MODEL, CAM_E_NO_MEMORY. */
cam_code calibrate(const cam_convert_options *options, const cam_graph *graph, calibration *out,
                   cam_error *error);
void calibration_free(calibration *c);

/* Runs the same photos through a model file, and says how its answers differ. */
cam_code calibration_compare(const cam_convert_options *options, const calibration *c,
                             const char *path, cam_error *error);

#endif
