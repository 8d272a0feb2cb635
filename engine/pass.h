/* pass.h - one run of the network over one picture, and class maps out of it. Flow: resize ->
 * [pass] -> fine, boxes, overlays. Thread: worker, with its team. */
#ifndef PASS_H
#define PASS_H
#include "base/image.h"
#include "model/model.h"
#include "network/forward.h"

/* Class maps of one size: values [n][height,width], from malloc. */
typedef struct map_set {
  int n, height, width;
  float *values;
} map_set;

/* Input: 8-bit RGB of the size that the network is to see. logits [classes]. CAM_E_MODEL: it does
 * not take that size, or a logit is not finite; CAM_E_NO_MEMORY. */
cam_code pass_run(const cam_model *model, forward *f, const cam_image *input, float *logits,
                  cam_error *error);
/* After pass_run: the maps of n classes. CAM_E_NO_MEMORY: out has none; CAM_E_MODEL: one is not
 * finite. */
cam_code pass_maps(forward *f, int n, const int *class_ids, map_set *out, cam_error *error);
/* CAM_E_MODEL: a value is not finite. A cell can overflow where the mean, the logit, does not; a
 * difference of two maps, where neither of them does. To be asked before maps are enlarged, which
 * makes finite what is not. */
cam_code map_set_check(const map_set *maps, const int *class_ids, cam_error *error);

#endif
