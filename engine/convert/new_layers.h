/* new_layers.h - layers that a file of weights lacks, drawn: what fine-tuning can begin with. Flow:
 * architecture, weights -> [new_layers] -> join. One thread at a time. */
#ifndef NEW_LAYERS_H
#define NEW_LAYERS_H
#include "cam_json.h"
#include "weights.h"
#include <stdint.h>

/* Adds the tensors of the layers in names, "CAM_conv,CAM_fc", which the architecture describes by
 * "new": {"shape": [...]}, HWIO of a conv and OI of an fc: weights are normal with a variance of 2
 * over the inputs of an output (He et al., ICCV 2015), biases 0. A layer's numbers follow from seed
 * and its name. CAM_E_PARAMETER: no such layer, or it cannot be new; CAM_E_WEIGHTS: the file has
 * it; CAM_E_MODEL: the architecture is wrong; CAM_E_NO_MEMORY. */
cam_code new_layers_add(const json *architecture, const char *names, uint64_t seed, weights *all,
                        cam_error *error);

#endif
