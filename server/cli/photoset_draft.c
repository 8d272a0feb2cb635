/* photoset_draft.c - photoset_draft.h. Names are sorted, and found among the classes once each. */
#include "photoset_draft.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- photos as they come ---- */

static cam_code no_list_memory(cam_error *error) {
  return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the list of photos");
}

static bool make_photo_room(photoset_draft *draft) {
  photoset *set = draft->set;
  if (set->n < set->room)
    return true;
  const int room = 2 * set->room + 64;
  labelled_photo *photos = realloc(set->photos, (size_t)room * sizeof *photos);
  if (!photos)
    return false;
  set->photos = photos;
  char **names = realloc(draft->names, (size_t)room * sizeof *names);
  if (!names)
    return false;
  draft->names = names;
  set->room = room;
  return true;
}

cam_code photoset_draft_add(photoset_draft *draft, const char *path, const char *class_name,
                            photo_part part, cam_error *error) {
  if (draft->set->n == PHOTOSET_MAX)
    return cam_fail(error, CAM_E_TOO_LARGE, "more than %d photos", PHOTOSET_MAX);
  char *own_path = strdup(path), *own_name = strdup(class_name);
  if (!own_path || !own_name || !make_photo_room(draft)) {
    free(own_path);
    free(own_name);
    return no_list_memory(error);
  }
  photoset *set = draft->set;
  draft->names[set->n] = own_name;
  set->photos[set->n++] = (labelled_photo){.path = own_path, .class_index = -1, .part = part};
  return CAM_OK;
}

/* ---- classes ---- */

static int compare_classes(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of the photos from `first` on, sorted, each once; they stay the draft's. For free();
 * NULL: no memory. */
static char **distinct_names(const photoset_draft *draft, int first, int *n) {
  const int all = draft->set->n - first;
  char **names = malloc(((size_t)all + 1) * sizeof *names);
  *n = 0;
  if (!names)
    return NULL;
  memcpy(names, draft->names + first, (size_t)all * sizeof *names);
  qsort(names, (size_t)all, sizeof *names, compare_classes);
  for (int i = 0; i < all; i++)
    if (!*n || strcmp(names[*n - 1], names[i]))
      names[(*n)++] = names[i];
  return names;
}

/* The classes that the names become; ids [n] gets the row of each. */
static cam_code take_names(photoset *set, char *const *names, int n, int *ids, cam_error *error) {
  set->classes = calloc((size_t)n, sizeof *set->classes);
  if (!set->classes)
    return no_list_memory(error);
  for (int i = 0; i < n; i++) {
    set->classes[i] = strdup(names[i]);
    if (!set->classes[i])
      return no_list_memory(error);
    set->n_classes++;
    ids[i] = i;
  }
  return CAM_OK;
}

/* The classes of a set that is there already: names that it has not are errors. */
static cam_code find_names(const photoset *set, char *const *names, int n, int *ids,
                           cam_error *error) {
  for (int i = 0; i < n; i++) {
    char **found = bsearch(&names[i], set->classes, (size_t)set->n_classes, sizeof *names,
                           compare_classes);
    if (!found)
      return cam_fail(error, CAM_E_BODY,
                      "class \"%.40s\" of the validation photos is none of the others", names[i]);
    ids[i] = (int)(found - set->classes);
  }
  return CAM_OK;
}

/* The model's class of this name: the one whose whole label it is, so that a folder "10" is the
 * label 10 whatever its index; else as cam_model_find_class reads it. */
static cam_code find_class_named(const cam_model *model, const char *name, int *id,
                                 cam_error *error) {
  const cam_model_info *info = cam_model_get_info(model);
  int n = 0;
  for (int c = 0; c < info->classes; c++) {
    if (strcmp(info->class_list[c].label, name))
      continue;
    *id = c;
    n++;
  }
  if (n == 1)
    return CAM_OK;
  return cam_model_find_class(model, name, strlen(name), id, error);
}

/* names [n]: all that the model has no class for. */
static cam_code unknown_classes(const cam_model_info *info, char *const *names, int n,
                                cam_error *error) {
  char list[80] = "";
  int listed = 0;
  for (size_t used = 0; listed < n; listed++) {
    const size_t room = sizeof list - used;
    const int length = snprintf(list + used, room, "%s\"%.20s\"", listed ? ", " : "",
                                names[listed]);
    if ((size_t)length >= room) {
      list[used] = '\0';
      break;
    }
    used += (size_t)length;
  }
  if (listed < n)
    return cam_fail(error, CAM_E_NOT_FOUND, "classes %s and %d more are none of the %d of %.24s",
                    list, n - listed, info->classes, info->name);
  return cam_fail(error, CAM_E_NOT_FOUND, "classes %s are none of the %d of %.24s", list,
                  info->classes, info->name);
}

static cam_code find_ids(const cam_model *model, char *const *names, int n, int *ids,
                         cam_error *error) {
  const cam_model_info *info = cam_model_get_info(model);
  char **unknown = calloc((size_t)n, sizeof *unknown);
  if (!unknown)
    return no_list_memory(error);
  cam_error why = {0};
  int n_unknown = 0;
  for (int i = 0; i < n; i++)
    if (find_class_named(model, names[i], &ids[i], &why))
      unknown[n_unknown++] = names[i];
  if (n_unknown == 1)
    cam_fail(error, CAM_E_NOT_FOUND, "class %.100s (of %d that %.24s has)", why.detail,
             info->classes, info->name);
  else if (n_unknown)
    unknown_classes(info, unknown, n_unknown, error);
  free(unknown);
  if (n_unknown)
    return CAM_E_NOT_FOUND;
  return CAM_OK;
}

static cam_code find_in_model(photoset *set, const cam_model *model, char *const *names, int n,
                              int *ids, cam_error *error) {
  const cam_model_info *info = cam_model_get_info(model);
  if (find_ids(model, names, n, ids, error))
    return error->code;
  if (set->n_classes)
    return CAM_OK;
  set->classes = calloc((size_t)info->classes, sizeof *set->classes);
  if (!set->classes)
    return no_list_memory(error);
  for (int c = 0; c < info->classes; c++) {
    set->classes[c] = strdup(info->class_list[c].label);
    if (!set->classes[c])
      return no_list_memory(error);
    set->n_classes++;
  }
  return CAM_OK;
}

/* Each photo from `first` on gets the row of its class's name. */
static void give_classes(const photoset_draft *draft, int first, char *const *names, int n,
                         const int *ids) {
  for (int i = first; i < draft->set->n; i++) {
    char *const *found = bsearch(&draft->names[i], names, (size_t)n, sizeof *names,
                                 compare_classes);
    draft->set->photos[i].class_index = ids[found - names];
  }
}

cam_code photoset_draft_settle(photoset_draft *draft, int first, const cam_model *model,
                               cam_error *error) {
  photoset *set = draft->set;
  int n;
  char **names = distinct_names(draft, first, &n);
  int *ids = malloc(((size_t)n + 1) * sizeof *ids);
  cam_code code = CAM_OK;
  if (!names || !ids)
    code = no_list_memory(error);
  else if (model)
    code = find_in_model(set, model, names, n, ids, error);
  else if (set->n_classes)
    code = find_names(set, names, n, ids, error);
  else
    code = take_names(set, names, n, ids, error);
  if (!code)
    give_classes(draft, first, names, n, ids);
  free(names);
  free(ids);
  return code;
}
