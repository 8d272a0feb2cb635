/* cam_convert.h - joins an architecture (config/models/NAME.json) with trained weights into one
 * model file. Implemented in engine/convert/. Weights are untrusted: their unpickler builds plain
 * data and runs nothing. */
#ifndef CAM_CONVERT_H
#define CAM_CONVERT_H
#include "cam_error.h"

typedef struct cam_convert_options {
  const char *weights;      /* a file of one of the kinds in engine/convert/weights_read.c */
  const char *architecture; /* config/models/NAME.json */
  const char *output; /* NAME.safetensors: written beside itself and renamed, so never half there */
  int threads;        /* for the reference forward pass of the self-test; 0: cam_cpu_count() */
  /* Gets a line for people, without newline; NULL: silent. */
  void (*progress)(void *closure, const char *line);
  void *closure; /* of progress */
} cam_convert_options;

/* CAM_OK: options->output is a model file that cam_model_load accepts. Errors name the file's
 * tensor, node, opcode or class. */
cam_code cam_convert(const cam_convert_options *options, cam_error *error);

#endif
