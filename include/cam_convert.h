/* cam_convert.h - trained weights into one model file: joined with an architecture
 * (config/models/NAME.json), or a whole network as ONNX. Implemented in engine/convert/. What is
 * read is untrusted: the unpickler builds plain data and runs nothing, the protobuf cannot nest. */
#ifndef CAM_CONVERT_H
#define CAM_CONVERT_H
#include "cam_engine.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cam_convert_options {
  /* A file of one of the kinds in engine/convert/weights_read.c; without an architecture: ONNX, or,
   * for int8, a model file in float32. */
  const char *weights;
  const char *architecture; /* config/models/NAME.json; NULL: the network is in the file */
  const char *output; /* NAME.safetensors: written beside itself and renamed, so never half there;
                         NULL, of int8_join alone: nothing is kept beside the model */
  /* "CAM_conv,CAM_fc": layers of the architecture that the file lacks and that are drawn; NULL:
   * none. */
  const char *new_layers;
  uint64_t seed; /* of what is drawn */
  int threads;   /* for the reference forward pass of the self-test; 0: cam_cpu_count() */
  /* Gets a line for people, without newline; NULL: silent. */
  void (*progress)(void *closure, const char *line);
  void *closure; /* of progress */

  /* What ONNX does not say, or says for one size. NULL: the file's own, or what is usual. */
  const char *input;        /* "224x224": height x width */
  const char *pixels;       /* imagenet, unit, signed, caffe or raw; or by hand: */
  const char *channels;     /* RGB or BGR; */
  const char *mean, *scale; /* "a,b,c": it sees (pixel - mean) * scale, in the order of channels */
  const char *labels;       /* a file: engine/convert/class_names.h */
  const char *name;   /* of the model; NULL: of ONNX the output's, without folder and ending */
  const char *resize; /* stretch or aspect */
  /* .npy files: what another framework answered for an input; refused if this differs. */
  const char *compare_input, *compare_output;

  /* In 8 bits. By default the model is named after the one in float32, and -int8. */
  bool int8;
  const char *ranges; /* a file of what values each node gives; NULL: photos say it, and a file
                         beside the output, NAME.ranges.json, keeps it */
  /* The next photo: its name, borrowed until the next call, and its bytes, for free(); no name:
   * there are no more; no bytes: one that cannot be read, which whoever gives it has said. */
  cam_code (*photo)(void *photos, const char **name, uint8_t **bytes, size_t *n, cam_error *error);
  void *photos;
  const cam_limits *limits; /* of decoding them; NULL: cam_default_limits, and any time */
} cam_convert_options;

/* CAM_OK: options->output is a model file that cam_model_load accepts. Errors name the file's
 * tensor, node, opcode or class. */
cam_code cam_convert(const cam_convert_options *options, cam_error *error);

#endif
