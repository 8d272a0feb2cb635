/* classes.c - the class that a caller means. Flow: parameters -> [classes] -> explain. Thread: any;
 * touches only its arguments. */
#include "cam_minmax.h"
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LISTED = 4 /* candidates that an error names */ };

typedef int compare_text(const char *a, const char *b, size_t n);

/* The number that text is, or -1. */
static int index_of(const cam_model *model, const char *text, size_t n) {
  char digits[10];
  if (!n || n >= sizeof digits || strspn(text, "0123456789") < n)
    return -1;
  memcpy(digits, text, n);
  digits[n] = '\0';
  const long index = strtol(digits, NULL, 10);
  if (index >= model->info.classes)
    return -1;
  return (int)index;
}

static int wnid_of(const cam_model *model, const char *text, size_t n) {
  for (int c = 0; c < model->info.classes && n; c++) {
    const char *wnid = model->info.class_list[c].wnid;
    if (strlen(wnid) == n && !memcmp(wnid, text, n))
      return c;
  }
  return -1;
}

static bool is_name_of(const char *label, const char *text, size_t n, compare_text *differ) {
  return (strlen(label) == n || strcspn(label, ",") == n) && !differ(label, text, n);
}

/* The classes of that name: how many, and the first of them in found. */
static int find_labels(const cam_model *model, const char *text, size_t n, compare_text *differ,
                       int found[LISTED]) {
  int count = 0;
  for (int c = 0; c < model->info.classes && n; c++) {
    if (!is_name_of(model->info.class_list[c].label, text, n, differ))
      continue;
    if (count < LISTED)
      found[count] = c;
    count++;
  }
  return count;
}

static cam_code several(const cam_model *model, const char *text, size_t n, int count,
                        const int *found, cam_error *error) {
  char list[120] = "";
  for (int i = 0; i < min_int(count, LISTED); i++) {
    const size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, ", %d (%.20s)", found[i],
             model->info.class_list[found[i]].label);
  }
  return cam_fail(error, CAM_E_PARAMETER, "\"%.*s\" names %d classes: %s", (int)min_size(n, 20),
                  text, count, list + 2);
}

cam_code cam_model_find_class(const cam_model *model, const char *text, size_t n, int *class_id,
                              cam_error *error) {
  int found[LISTED];
  *class_id = index_of(model, text, n);
  if (*class_id < 0)
    *class_id = wnid_of(model, text, n);
  if (*class_id >= 0)
    return CAM_OK;
  int count = find_labels(model, text, n, strncmp, found);
  if (!count)
    count = find_labels(model, text, n, strncasecmp, found);
  if (count > 1)
    return several(model, text, n, count, found, error);
  if (!count)
    return cam_fail(error, CAM_E_PARAMETER, "\"%.*s\" is no class of this model",
                    (int)min_size(n, 20), text);
  *class_id = found[0];
  return CAM_OK;
}
