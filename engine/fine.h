/* fine.h - detail=fine: class maps averaged over inputs of three sizes. A network that was trained
 * at one size sees smaller parts of a photo when it is shown larger, and its grid has more cells;
 * averaging keeps what all sizes agree on. Flow: photo, maps -> [fine] -> boxes, overlays.
 * Thread: worker, with its team. */
#ifndef FINE_H
#define FINE_H
#include "context.h"
#include "pass.h"

/* *maps, those of the usual pass, become the average with those of the two larger inputs that
 * detail.h names, each enlarged by the model's rule to the largest grid. sizes: of the photo.
 * deadline: seconds of CLOCK_MONOTONIC after which no further pass begins (CAM_E_DEADLINE); 0:
 * none. CAM_E_PARAMETER: the network takes no larger input. */
cam_code fine_maps(cam_context *context, const cam_image *photo, const cam_result *sizes,
                   double deadline, const int *class_ids, map_set *maps, cam_error *error);

/* Bytes that it holds at most beside the photo; input_bytes: of the largest input's picture; n:
 * maps.
 */
uint64_t fine_work_bytes(const cam_context *context, uint64_t input_bytes, int n);

#endif
