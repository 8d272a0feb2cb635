/* photoset.c - photoset.h. */
#include "photoset.h"
#include <stdlib.h>

int photoset_count(const photoset *set, int class_index, photo_part part) {
  int n = 0;
  for (int i = 0; i < set->n; i++) {
    const labelled_photo *photo = &set->photos[i];
    n += !photo->error.code && (class_index < 0 || photo->class_index == class_index) &&
         (part == PART_COUNT || photo->part == part);
  }
  return n;
}

void photoset_free(photoset *set) {
  for (int i = 0; i < set->n; i++)
    free(set->photos[i].path);
  for (int c = 0; c < set->n_classes; c++)
    free(set->classes[c]);
  free(set->photos);
  free(set->classes);
  *set = (photoset){0};
}
