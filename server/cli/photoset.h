/* photoset.h - labelled photos: what finetune and evaluate call DATA -> a list. DATA is a folder
 * with a folder for each class (photos lie anywhere below it), or one with train/ and val/ that
 * have those, or a CSV file with the columns `path` (from the file's own folder) and `class`.
 * Nothing is decoded here: photos that are missing or broken are found when they are read.
 * Flow: DATA -> photoset_read.h -> [photoset]. Implemented in server/cli/photoset.c. Thread: one at
 * a time. */
#ifndef PHOTOSET_H
#define PHOTOSET_H
#include "cam_engine.h"
#include "passed_over.h"

/* Where a photo belongs: not said yet, or as DATA says. */
typedef enum photo_part { PART_OPEN, PART_TRAIN, PART_VAL, PART_COUNT } photo_part;

typedef struct labelled_photo {
  char *path;
  int class_index; /* row of photoset.classes */
  photo_part part;
  char hash[65];   /* of its pixels, by whoever decodes it; "" before that */
  cam_error error; /* why it is left out; code CAM_OK: it is not */
} labelled_photo;

typedef struct photoset {
  int n, room;
  labelled_photo *photos; /* [n]: of a folder in the order of paths, of a CSV in that of lines */
  int n_classes;
  char **classes;     /* [n_classes] names: of folders or cells, sorted; or the model's labels */
  bool has_parts;     /* DATA has train/ and val/ */
  int64_t loose;      /* photos beside the folders of classes, which belong to none */
  int unread;         /* folders beside train/ and val/, which are not read */
  passed_over others; /* files that are no photos by their names */
} photoset;           /* all zero: empty */

void photoset_free(photoset *set);

/* Photos that are not left out: of a class (-1: any) and a part (PART_COUNT: any). */
int photoset_count(const photoset *set, int class_index, photo_part part);

#endif
