/* weights_read.h - reads a file of trained weights, whatever its kind: a table in weights_read.c.
 */
#ifndef WEIGHTS_READ_H
#define WEIGHTS_READ_H
#include "weights.h"

/* *out is the caller's, for weights_free. CAM_E_IO, CAM_E_WEIGHTS naming tensor, opcode or global,
 * CAM_E_NO_MEMORY. */
cam_code weights_read(const char *path, weights **out, cam_error *error);

#endif
