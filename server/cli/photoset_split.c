/* photoset_split.c - photoset_split.h. All is done on photos sorted by their hashes, so that
 * neither names nor the order of files have to do with it. */
#include "photoset_split.h"
#include "cam_minmax.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* By hash; copies by their place in the set. */
static int compare_hashes(const void *a, const void *b, void *closure) {
  const photoset *set = closure;
  const int one = *(const int *)a, other = *(const int *)b;
  const int order = strcmp(set->photos[one].hash, set->photos[other].hash);
  if (order)
    return order;
  return one - other;
}

/* By class, then as above. */
static int compare_in_class(const void *a, const void *b, void *closure) {
  const photoset *set = closure;
  const labelled_photo *one = &set->photos[*(const int *)a];
  const labelled_photo *other = &set->photos[*(const int *)b];
  if (one->class_index != other->class_index)
    return one->class_index - other->class_index;
  return compare_hashes(a, b, closure);
}

/* Photos that are not left out, open ones alone if so wanted, sorted; for free(). NULL: no memory.
 */
static int *sorted_photos(const photoset *set, bool open_ones,
                          int (*compare)(const void *, const void *, void *), int *n) {
  int *order = malloc(((size_t)set->n + 1) * sizeof *order);
  *n = 0;
  if (!order)
    return NULL;
  for (int i = 0; i < set->n; i++)
    if (!set->photos[i].error.code && (!open_ones || set->photos[i].part == PART_OPEN))
      order[(*n)++] = i;
  qsort_r(order, (size_t)*n, sizeof *order, compare, (void *)(uintptr_t)set);
  return order;
}

static bool same_picture(const photoset *set, int a, int b) {
  return !strcmp(set->photos[a].hash, set->photos[b].hash);
}

/* How many of a class's n photos, sorted, are validated with: copies are not parted. 0: all are
 * copies of one. */
static int val_count(const photoset *set, const int *photos, int n, double share) {
  const int wanted = clamp_int((int)lround(share * n), 1, n - 1);
  int more = wanted, fewer = wanted;
  while (more < n && same_picture(set, photos[more - 1], photos[more]))
    more++;
  while (fewer > 0 && same_picture(set, photos[fewer - 1], photos[fewer]))
    fewer--;
  if (more < n)
    return more;
  return fewer;
}

static cam_code split_class(photoset *set, const int *photos, int n, double share,
                            cam_error *error) {
  const char *name = set->classes[set->photos[photos[0]].class_index];
  if (n == 1)
    return cam_fail(error, CAM_E_BODY,
                    "class \"%.60s\" has one photo: none would be left to train on; --val 0 makes "
                    "no split",
                    name);
  const int n_val = val_count(set, photos, n, share);
  if (!n_val)
    return cam_fail(error, CAM_E_BODY,
                    "class \"%.60s\": its %d photos are one picture, which cannot be split", name,
                    n);
  for (int i = 0; i < n; i++)
    set->photos[photos[i]].part = PART_TRAIN;
  for (int i = 0; i < n_val; i++)
    set->photos[photos[i]].part = PART_VAL;
  return CAM_OK;
}

cam_code photoset_split(photoset *set, double share, cam_error *error) {
  int n;
  int *photos = sorted_photos(set, true, compare_in_class, &n);
  if (!photos)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a list of photos");
  cam_code code = CAM_OK;
  for (int i = 0, end = 0; i < n && !code; i = end) {
    const int class_index = set->photos[photos[i]].class_index;
    while (end < n && set->photos[photos[end]].class_index == class_index)
      end++;
    code = split_class(set, photos + i, end - i, share, error);
  }
  free(photos);
  return code;
}

/* ---- copies ---- */

static double_kind double_of(const labelled_photo *one, const labelled_photo *other) {
  if (one->class_index != other->class_index)
    return DOUBLE_CLASSES;
  if (one->part != other->part)
    return DOUBLE_PARTS;
  return DOUBLE_TWICE;
}

/* Of n copies the first, and that which is worst beside it. */
static photo_double worst_of(const photoset *set, const int *copies, int n) {
  photo_double out = {DOUBLE_TWICE, copies[0], copies[1]};
  for (int i = 1; i < n; i++) {
    const double_kind kind = double_of(&set->photos[copies[0]], &set->photos[copies[i]]);
    if (kind < out.kind)
      out = (photo_double){kind, copies[0], copies[i]};
  }
  return out;
}

static int compare_doubles(const void *a, const void *b) {
  return ((const photo_double *)a)->first - ((const photo_double *)b)->first;
}

photo_double *photoset_doubles(const photoset *set, int *n) {
  int photos_n;
  int *photos = sorted_photos(set, false, compare_hashes, &photos_n);
  photo_double *out = malloc(((size_t)set->n + 1) * sizeof *out);
  *n = -1;
  if (!photos || !out) {
    free(photos);
    free(out);
    return NULL;
  }
  *n = 0;
  for (int i = 0, end = 0; i < photos_n; i = end) {
    while (end < photos_n && same_picture(set, photos[i], photos[end]))
      end++;
    if (end - i > 1)
      out[(*n)++] = worst_of(set, photos + i, end - i);
  }
  qsort(out, (size_t)*n, sizeof *out, compare_doubles);
  free(photos);
  return out;
}
