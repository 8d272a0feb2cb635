/* photoset_read.c - photoset_read.h. Untrusted input: the CSV file, and all names. */
#include "photoset_read.h"
#include "cli.h"
#include "csv.h"
#include "walk.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CSV_MAX_BYTES = 1 << 30 };

/* ---- folders ---- */

/* The folders in a folder, sorted, as paths with a slash behind them. */
typedef struct folder_list {
  int n;
  char **paths;
  int64_t photos; /* files beside them that are photos by their names */
} folder_list;

static void folder_list_free(folder_list *list) {
  for (int i = 0; i < list->n; i++)
    free(list->paths[i]);
  free(list->paths);
}

static int compare_entries(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_shown(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/* One entry: a folder is added, a photo counted. False: no memory. */
static bool list_entry(folder_list *out, const char *folder, const char *name) {
  char *path = NULL;
  struct stat status;
  const char *slash = "/";
  if (folder[strlen(folder) - 1] == '/')
    slash = "";
  if (asprintf(&path, "%s%s%s/", folder, slash, name) < 0)
    return false;
  if (!stat(path, &status)) {
    out->paths[out->n++] = path;
    return true;
  }
  out->photos += walk_is_photo(name) && !walk_is_own(name);
  free(path);
  return true;
}

static cam_code list_folders(const char *folder, folder_list *out, cam_error *error) {
  struct dirent **entries = NULL;
  *out = (folder_list){0};
  const int n = scandir(folder, &entries, is_shown, compare_entries);
  if (n < 0)
    return cam_fail(error, CAM_E_IO, "%.100s: folder cannot be read: %s", folder, strerror(errno));
  out->paths = calloc((size_t)n + 1, sizeof *out->paths);
  bool room = out->paths;
  for (int i = 0; i < n; i++) {
    room = room && list_entry(out, folder, entries[i]->d_name);
    free(entries[i]);
  }
  free(entries);
  if (room)
    return CAM_OK;
  folder_list_free(out);
  *out = (folder_list){0};
  return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the names in a folder");
}

/* "b" of "a/b/"; for free(). */
static char *folder_name(const char *path) {
  const char *end = path + strlen(path) - 1, *begin = end;
  while (begin > path && begin[-1] != '/')
    begin--;
  return strndup(begin, (size_t)(end - begin));
}

static cam_code say_empty(const char *path, passed_over *passed, cam_error *error) {
  char words[PASSED_WORDS_MAX];
  if (passed->files)
    return cam_fail(error, CAM_E_NOT_FOUND, "%.80s: a folder without photos, but with %.50s", path,
                    passed_over_words(passed, words));
  return cam_fail(error, CAM_E_NOT_FOUND, "%.100s: a folder without photos", path);
}

/* All photos of an open walk are of one class. */
static cam_code add_walked(photoset_draft *draft, const char *path, struct walk *walk,
                           const char *class_name, photo_part part, cam_error *error) {
  const int before = draft->set->n;
  cam_code code = CAM_OK;
  while (!code) {
    size_t below;
    cam_error why;
    const char *photo = walk_next(walk, &below, &why);
    if (why.code)
      code = cam_fail(error, why.code, "%.80s: %.60s", photo ? photo : path, why.detail);
    else if (!photo)
      break;
    else
      code = photoset_draft_add(draft, photo, class_name, part, error);
  }
  if (!code && draft->set->n == before)
    code = say_empty(path, walk_passed(walk), error);
  passed_over_join(&draft->set->others, walk_passed(walk));
  return code;
}

static cam_code add_class_folder(photoset_draft *draft, const char *path, photo_part part,
                                 cam_error *error) {
  char *name = folder_name(path);
  struct walk *walk = walk_open(path);
  cam_code code;
  if (name && walk)
    code = add_walked(draft, path, walk, name, part, error);
  else
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for a folder's name");
  walk_close(walk);
  free(name);
  return code;
}

static cam_code add_class_folders(photoset_draft *draft, const char *folder, photo_part part,
                                  cam_error *error) {
  folder_list classes;
  cam_code code = list_folders(folder, &classes, error);
  if (!code && !classes.n)
    code = cam_fail(error, CAM_E_NOT_FOUND,
                    "%.80s: no folders in it; there must be one for each class", folder);
  for (int i = 0; i < classes.n && !code; i++)
    code = add_class_folder(draft, classes.paths[i], part, error);
  draft->set->loose += classes.photos;
  folder_list_free(&classes);
  return code;
}

/* The path that ends in /NAME/ and has folders in it; NULL: there is none. */
static const char *find_part(const folder_list *list, const char *name) {
  for (int i = 0; i < list->n; i++) {
    char *its_name = folder_name(list->paths[i]);
    folder_list inner = {0};
    const bool found = its_name && !strcmp(its_name, name) &&
                       !list_folders(list->paths[i], &inner, NULL) && inner.n;
    folder_list_free(&inner);
    free(its_name);
    if (found)
      return list->paths[i];
  }
  return NULL;
}

static bool is_part_name(const char *name) {
  static const char *const names[] = {"train", "training",   "val", "valid",
                                      "test",  "validation", "dev"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcasecmp(name, names[i]))
      return true;
  return false;
}

/* Two folders or more, all of which are called like parts and have folders of classes in them. */
static bool are_parts(const folder_list *list) {
  int n = 0;
  for (int i = 0; i < list->n; i++) {
    char *name = folder_name(list->paths[i]);
    folder_list inner = {0};
    n += name && is_part_name(name) && !list_folders(list->paths[i], &inner, NULL) && inner.n;
    folder_list_free(&inner);
    free(name);
  }
  return n > 1 && n == list->n;
}

static cam_code add_tree(photoset_draft *draft, const char *folder, cam_error *error) {
  folder_list list;
  cam_code code = list_folders(folder, &list, error);
  if (code)
    return code;
  const char *train = find_part(&list, "train"), *val = find_part(&list, "val");
  if (train && val && draft->part == PART_OPEN) {
    draft->set->has_parts = true;
    draft->set->unread = list.n - 2;
    draft->set->loose += list.photos;
    code = add_class_folders(draft, train, PART_TRAIN, error);
    if (!code)
      code = add_class_folders(draft, val, PART_VAL, error);
  } else if (are_parts(&list)) {
    code = cam_fail(
        error, CAM_E_BODY,
        "%.80s: its folders are no classes, but parts: call them train and val, or give "
        "one, and the other by --val",
        folder);
  } else {
    code = add_class_folders(draft, folder, draft->part, error);
  }
  folder_list_free(&list);
  return code;
}

/* ---- CSV files ---- */

/* Which cells of a record are read, and how many it has. */
typedef struct columns {
  int n, path, class_name;
} columns;

static cam_code find_columns(csv_reader *csv, columns *out, cam_error *error) {
  char *cells[CSV_MAX_COLUMNS];
  *out = (columns){.path = -1, .class_name = -1};
  out->n = csv_next(csv, cells, error);
  if (error->code)
    return error->code;
  for (int i = out->n - 1; i >= 0; i--) {
    if (!strcmp(cells[i], "path"))
      out->path = i;
    if (!strcmp(cells[i], "class"))
      out->class_name = i;
  }
  const char *missing = "class";
  if (out->path < 0)
    missing = "path";
  if (out->path < 0 || out->class_name < 0)
    return cam_fail(error, CAM_E_BODY, "the first line has no column \"%s\"; it must be path,class",
                    missing);
  return CAM_OK;
}

static cam_code add_record(photoset_draft *draft, const char *folder, const char *path,
                           const char *class_name, int64_t line, cam_error *error) {
  if (!*path || !*class_name)
    return cam_fail(error, CAM_E_BODY, "line %" PRId64 ": no %s", line, *path ? "class" : "path");
  if (*path == '/')
    return photoset_draft_add(draft, path, class_name, draft->part, error);
  char *whole = NULL;
  if (asprintf(&whole, "%s%s", folder, path) < 0)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a path");
  const cam_code code = photoset_draft_add(draft, whole, class_name, draft->part, error);
  free(whole);
  return code;
}

cam_code photoset_read_csv(photoset_draft *draft, const char *folder, char *text, size_t n,
                           cam_error *error) {
  csv_reader csv;
  columns wanted;
  char *cells[CSV_MAX_COLUMNS];
  cam_code code = csv_open(&csv, text, n, error);
  if (!code)
    code = find_columns(&csv, &wanted, error);
  while (!code) {
    const int found = csv_next(&csv, cells, error);
    code = error->code;
    if (!found)
      break;
    if (found != wanted.n)
      code = cam_fail(error, CAM_E_BODY, "line %" PRId64 ": %d cells; the first line has %d",
                      csv.line, found, wanted.n);
    else
      code = add_record(draft, folder, cells[wanted.path], cells[wanted.class_name], csv.line,
                        error);
  }
  return code;
}

static cam_code add_csv_file(photoset_draft *draft, const char *path, cam_error *error) {
  cam_bytes bytes;
  cam_error why = {0};
  cam_code code = cli_read(path, CSV_MAX_BYTES, &bytes, &why);
  char *folder = strdup(path), *text = NULL;
  if (!code && folder)
    text = realloc(bytes.data, bytes.size + 1);
  if (!code && !text) {
    free(bytes.data);
    code = cam_fail(&why, CAM_E_NO_MEMORY, "no memory");
  }
  if (!code) {
    char *slash = strrchr(folder, '/');
    folder[slash ? slash + 1 - folder : 0] = '\0';
    code = photoset_read_csv(draft, folder, text, bytes.size, &why);
  }
  free(text);
  free(folder);
  if (code)
    return cam_fail(error, code, "%.70s: %.80s", path, why.detail);
  return CAM_OK;
}

static cam_code add_data(photoset_draft *draft, const char *data, cam_error *error) {
  if (!*data)
    return cam_fail(error, CAM_E_BODY, "an empty name");
  if (walk_is_folder(data))
    return add_tree(draft, data, error);
  return add_csv_file(draft, data, error);
}

/* ---- lists ---- */

static cam_code read_more(photoset *set, const char *data, photo_part part, const cam_model *model,
                          cam_error *error) {
  const int first = set->n;
  photoset_draft draft = {.set = set, .part = part};
  set->room = set->n; /* so that names get room with the next photo */
  draft.names = calloc((size_t)set->n + 1, sizeof *draft.names);
  cam_code code = CAM_OK;
  if (!draft.names)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for the list of photos");
  if (!code)
    code = add_data(&draft, data, error);
  if (!code && set->n == first)
    code = cam_fail(error, CAM_E_NOT_FOUND, "%.100s: no photos", data);
  if (!code)
    code = photoset_draft_settle(&draft, first, model, error);
  for (int i = 0; draft.names && i < set->n; i++)
    free(draft.names[i]);
  free(draft.names);
  return code;
}

cam_code photoset_open(const char *data, const cam_model *model, photoset *out, cam_error *error) {
  *out = (photoset){0};
  cam_code code = read_more(out, data, PART_OPEN, model, error);
  if (!code && !model && out->n_classes < 2)
    code = cam_fail(error, CAM_E_BODY, "%.80s: one class, \"%.40s\"; two are needed", data,
                    out->classes[0]);
  return code;
}

cam_code photoset_add_validation(photoset *set, const char *data, const cam_model *model,
                                 cam_error *error) {
  for (int i = 0; i < set->n; i++)
    set->photos[i].part = PART_TRAIN;
  return read_more(set, data, PART_VAL, model, error);
}
