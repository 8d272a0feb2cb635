/* output.h - what convert has joined, as a model file with the reference's logits of the made
 * picture. Flow: joined -> [output] -> model_file.   Thread: one at a time. */
#ifndef OUTPUT_H
#define OUTPUT_H
#include "cam_convert.h"
#include "join.h"
#include <stdbool.h>

/* Length of a path's folder, its slash included; 0 if it names none. */
int folder_length(const char *path);
/* to_disk: and waits until the disk has it. CAM_E_IO, CAM_E_NO_MEMORY. */
cam_code output_write(const char *path, const joined *model, bool to_disk, cam_error *error);
/* Adds to the document the reference network's logits for the made picture, which must be finite.
 * path: the same network, written. CAM_E_MODEL, CAM_E_WEIGHTS, CAM_E_NO_MEMORY. */
cam_code output_self_test(const cam_convert_options *options, const char *path, json *document,
                          cam_error *error);

#endif
