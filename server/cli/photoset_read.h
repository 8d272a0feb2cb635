/* photoset_read.h - DATA -> photos and their classes: folders and CSV files.
 * Implemented in server/cli/photoset_read.c. Thread: one at a time. */
#ifndef PHOTOSET_READ_H
#define PHOTOSET_READ_H
#include "photoset_draft.h"

/* Adds what DATA has. model NULL: classes are as the folders or cells are called, and 2 at least;
 * else each of them is one of the model's, by index, WordNet id or label, and photoset.classes are
 * all of the model's. CAM_E_NOT_FOUND (no photo, or classes that the model has not, which are
 * named), CAM_E_IO, CAM_E_BODY (a CSV, a class alone): the detail names path and line. *out needs
 * photoset_free whatever the code. */
cam_code photoset_open(const char *data, const cam_model *model, photoset *out, cam_error *error);
/* Adds the photos of another folder or CSV as PART_VAL and makes all that are there PART_TRAIN; a
 * class that is not there already is an error. */
cam_code photoset_add_validation(photoset *set, const char *data, const cam_model *model,
                                 cam_error *error);
/* Adds what the text of a CSV file says, text[n] being there to be written; its paths go below
 * folder, which ends in a slash or is empty. CAM_E_BODY. */
cam_code photoset_read_csv(photoset_draft *draft, const char *folder, char *text, size_t n,
                           cam_error *error);

#endif
