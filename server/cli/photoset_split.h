/* photoset_split.h - photos whose pixels' hash is known -> a part for each, and what is odd about
 * them. Flow: photoset.h, hashes -> [photoset_split] -> training. Implemented in
 * server/cli/photoset_split.c. Thread: any; touches only its arguments. */
#ifndef PHOTOSET_SPLIT_H
#define PHOTOSET_SPLIT_H
#include "photoset.h"

/* Gives each PART_OPEN photo that is not left out a part: of each class the share of photos to
 * validate with whose hashes come first, at least one, and copies of one picture on one side.
 * CAM_E_BODY: a class has one picture; CAM_E_NO_MEMORY. */
cam_code photoset_split(photoset *set, double share, cam_error *error);

/* Copies of one picture, by the worst that they are. */
typedef enum double_kind {
  DOUBLE_CLASSES, /* in two classes */
  DOUBLE_PARTS,   /* trained on and validated with */
  DOUBLE_TWICE,   /* more than once, no more */
  DOUBLE_KINDS
} double_kind;

/* Two of the copies of a picture. */
typedef struct photo_double {
  double_kind kind;
  int first, second; /* photos of the set, by their paths */
} photo_double;

/* Pictures that are there more than once, in the order of their first photo; for free(). NULL and
 * *n < 0: no memory. */
photo_double *photoset_doubles(const photoset *set, int *n);

#endif
