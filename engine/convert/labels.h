/* labels.h - the classes of a model file. Implemented in engine/convert/labels.c. */
#ifndef LABELS_H
#define LABELS_H
#include "cam_json.h"

/* Adds to document the member "classes" as a model file has it: the architecture's own list, or the
 * labels its name stands for, in folder/NAME.tsv. */
cam_code labels_add(const json *architecture, const char *folder, json *document, cam_error *error);

#endif
