/* photoset_draft.h - a list of labelled photos on its way: their classes are names until all photos
 * are there. Implemented in server/cli/photoset_draft.c. Thread: one at a time. */
#ifndef PHOTOSET_DRAFT_H
#define PHOTOSET_DRAFT_H
#include "photoset.h"

enum { PHOTOSET_MAX = 10000000 };

typedef struct photoset_draft {
  photoset *set;
  photo_part part; /* of what is read next, where DATA does not say it */
  char **names;    /* [set->n] of the photos' classes */
} photoset_draft;

/* Adds a photo; both texts are copied. CAM_E_NO_MEMORY, CAM_E_TOO_LARGE. */
cam_code photoset_draft_add(photoset_draft *draft, const char *path, const char *class_name,
                            photo_part part, cam_error *error);
/* Gives the photos from `first` on their classes, by their names: of the model; else those that the
 * set has; else they are made of the names. CAM_E_BODY: a name is none of them. */
cam_code photoset_draft_settle(photoset_draft *draft, int first, const cam_model *model,
                               cam_error *error);

#endif
