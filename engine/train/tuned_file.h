/* tuned_file.h - a tuned network as a model file. Flow: tuned_graph, weights -> [tuned_file] ->
 * model file. Thread: one. */
#ifndef TUNED_FILE_H
#define TUNED_FILE_H
#include "cam_convert.h"
#include "tuned_graph.h"

/* What the file says of how it came about, under "tuned". */
typedef struct tuned_story {
  const cam_graph *base;
  const char *base_sha256; /* of its file */
  const tuned_graph *tuned;
  char *const *names; /* [classes] of a new head */
  const cam_tune_options *options;
  const cam_tune_figures *figures;
  const char *run;                 /* 64 characters: of options, photos and base */
  const char *data;                /* 64 characters: of the photos and their classes alone */
  const cam_convert_options *int8; /* photos and their limits, which planes of 8 bits are made by;
                                      NULL: the file is in float32 */
} tuned_story;

/* The values of a tensor of the tuned graph, if they are not the tensor's own; else NULL. */
typedef const float *tuned_values(void *closure, const cam_tensor *tensor);

/* Writes path, whole or not at all; all sums of the self-test on threads. CAM_E_PARAMETER: in 8
 * bits, and none of the photos can be read; CAM_E_MODEL, CAM_E_IO, CAM_E_NO_MEMORY. */
cam_code tuned_file_write(const char *path, const tuned_story *story, tuned_values *values,
                          void *closure, int threads, cam_error *error);
/* What of these the file at path says: "run"; and whether it came to its end. False: it is none. */
bool tuned_file_run(const char *path, char run[65], bool *complete);

#endif
