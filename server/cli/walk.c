/* walk.c - walk.h. A folder is read whole, sorted, closed, and then gone through; those that are
 * gone through lie on a stack, so that one descriptor is open at any moment. A folder's name is
 * kept with a slash behind it: then sorting the names of one folder sorts all paths. */
#include "walk.h"
#include "cam_engine.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

typedef struct level {
  char *names;   /* one after another, each with its NUL */
  size_t *order; /* [n] where they begin, sorted */
  size_t n, at;  /* at: the next one */
  size_t n_path; /* of its own path, with the slash behind it */
  dev_t device;  /* of the folder, so that it is known */
  ino_t serial;  /* when it comes again below itself */
  size_t used, room;
} level;

struct walk {
  level *levels; /* [depth], room for n_levels */
  size_t depth, n_levels;
  char *path;
  size_t path_room, top; /* top: bytes of the folder's own path */
  bool begun;
  passed_over passed;
};

/* ---- names ---- */

bool walk_any_ending(bool (*visit)(void *closure, const char *ending), void *closure) {
  static const char *const others[] = {"jpg", "jpe", "jfif"};
  for (int format = 0; format < CAM_FORMAT_COUNT; format++)
    if (visit(closure, cam_format_name((cam_format)format)))
      return true;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (visit(closure, others[i]))
      return true;
  return false;
}

static bool is_ending(void *closure, const char *ending) { return !strcasecmp(closure, ending); }

bool walk_is_photo(const char *name) {
  const char *point = strrchr(name, '.');
  return point && walk_any_ending(is_ending, (void *)(point + 1));
}

bool walk_is_own(const char *name) {
#define X(id, its_name, extension, type) ".cam." extension, ".cam.heat." extension,
  static const char *const endings[] = {CAM_PICTURES(X)};
#undef X
  const size_t n = strlen(name);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    const size_t n_ending = strlen(endings[i]);
    if (n > n_ending && !strcmp(name + n - n_ending, endings[i]))
      return true;
  }
  return false;
}

bool walk_is_folder(const char *path) {
  struct stat status;
  return !stat(path, &status) && S_ISDIR(status.st_mode);
}

/* ---- one folder ---- */

/* DT_DIR, DT_REG, or what else it is; a link is what it leads to, and one that leads nowhere a
 * file, whose reading will say so. */
static int entry_kind(int folder, const struct dirent *entry) {
  struct stat status;
  if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
    return entry->d_type;
  if (fstatat(folder, entry->d_name, &status, 0))
    return DT_REG;
  return IFTODT(status.st_mode);
}

/* Puts a name, and a slash where it is a folder's, behind the others. */
static bool keep_name(level *folder, const char *name, bool is_folder) {
  const size_t n = strlen(name) + 2;
  if (folder->room - folder->used < n) {
    const size_t room = 2 * folder->room + n + 1024;
    char *names = realloc(folder->names, room);
    if (!names)
      return false;
    folder->names = names;
    folder->room = room;
  }
  folder->used += 1 +
                  (size_t)sprintf(folder->names + folder->used, "%s%s", name, is_folder ? "/" : "");
  folder->n++;
  return true;
}

static int compare_names(const void *a, const void *b, void *names) {
  return strcmp((char *)names + *(const size_t *)a, (char *)names + *(const size_t *)b);
}

static bool sort_names(level *folder) {
  folder->order = malloc((folder->n + 1) * sizeof *folder->order);
  if (!folder->order)
    return false;
  size_t at = 0;
  for (size_t i = 0; i < folder->n; i++) {
    folder->order[i] = at;
    at += strlen(folder->names + at) + 1;
  }
  if (folder->n)
    qsort_r(folder->order, folder->n, sizeof *folder->order, compare_names, folder->names);
  return true;
}

static cam_code no_room_for_names(cam_error *error) {
  return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the names in a folder");
}

static cam_code unreadable(cam_error *error) {
  return cam_fail(error, CAM_E_IO, "folder cannot be read: %s", strerror(errno));
}

/* Whether a file is a photo; if not it is counted. */
static bool takes_file(passed_over *passed, const char *name) {
  if (walk_is_own(name))
    return false;
  const bool is_photo = walk_is_photo(name);
  if (!is_photo)
    passed_over_add(passed, name);
  return is_photo;
}

static cam_code list_names(level *folder, DIR *stream, passed_over *passed, cam_error *error) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(stream);
    if (!entry && errno)
      return unreadable(error);
    if (!entry)
      break;
    if (entry->d_name[0] == '.')
      continue;
    const int kind = entry_kind(dirfd(stream), entry);
    const bool wanted = kind == DT_REG && takes_file(passed, entry->d_name);
    if ((wanted || kind == DT_DIR) && !keep_name(folder, entry->d_name, kind == DT_DIR))
      return no_room_for_names(error);
  }
  if (!sort_names(folder))
    return no_room_for_names(error);
  return CAM_OK;
}

static void forget_level(level *folder) {
  free(folder->names);
  free(folder->order);
}

static bool is_within_itself(const struct walk *walk, const level *folder) {
  for (size_t i = 0; i < walk->depth; i++)
    if (walk->levels[i].device == folder->device && walk->levels[i].serial == folder->serial)
      return true;
  return false;
}

/* Reads the folder at path[0..n_path), which ends in a slash, and puts it on the stack, unless it
 * lies there already. */
static cam_code enter(struct walk *walk, size_t n_path, cam_error *error) {
  level folder = {.n_path = n_path};
  struct stat status;
  if (walk->depth == walk->n_levels) {
    level *levels = realloc(walk->levels, (2 * walk->n_levels + 8) * sizeof *levels);
    if (!levels)
      return no_room_for_names(error);
    walk->levels = levels;
    walk->n_levels = 2 * walk->n_levels + 8;
  }
  DIR *stream = opendir(walk->path);
  if (!stream)
    return unreadable(error);
  cam_code code = CAM_OK;
  if (fstat(dirfd(stream), &status)) {
    code = unreadable(error);
  } else {
    folder.device = status.st_dev;
    folder.serial = status.st_ino;
  }
  const bool again = !code && is_within_itself(walk, &folder);
  if (!code && !again)
    code = list_names(&folder, stream, &walk->passed, error);
  closedir(stream);
  if (code || again)
    forget_level(&folder);
  else
    walk->levels[walk->depth++] = folder;
  return code;
}

/* ---- all of it ---- */

/* path[0..n) becomes path[0..at) + name. False: no memory. */
static bool set_path(struct walk *walk, size_t at, const char *name) {
  const size_t n = at + strlen(name) + 1;
  if (n > walk->path_room) {
    char *path = realloc(walk->path, 2 * n);
    if (!path)
      return false;
    walk->path = path;
    walk->path_room = 2 * n;
  }
  strcpy(walk->path + at, name);
  return true;
}

struct walk *walk_open(const char *folder) {
  struct walk *it = calloc(1, sizeof *it);
  if (!it)
    return NULL;
  const size_t n = strlen(folder);
  if (set_path(it, 0, folder) && (!n || folder[n - 1] == '/' || set_path(it, n, "/"))) {
    it->top = strlen(it->path);
    return it;
  }
  walk_close(it);
  return NULL;
}

passed_over *walk_passed(struct walk *walk) { return &walk->passed; }

void walk_close(struct walk *walk) {
  if (!walk)
    return;
  while (walk->depth)
    forget_level(&walk->levels[--walk->depth]);
  free(walk->levels);
  free(walk->path);
  free(walk);
}

/* The next name of the deepest folder that has one left, with its path; NULL: there is none. */
static const char *next_name(struct walk *walk, cam_error *error) {
  while (walk->depth) {
    level *folder = &walk->levels[walk->depth - 1];
    if (folder->at == folder->n) {
      forget_level(folder);
      walk->depth--;
      continue;
    }
    const char *name = folder->names + folder->order[folder->at++];
    if (set_path(walk, folder->n_path, name))
      return walk->path;
    no_room_for_names(error);
    return NULL;
  }
  return NULL;
}

const char *walk_next(struct walk *walk, size_t *below, cam_error *error) {
  *error = (cam_error){0};
  *below = walk->top;
  if (!walk->begun) {
    walk->begun = true;
    if (enter(walk, walk->top, error))
      return walk->path;
  }
  for (;;) {
    const char *path = next_name(walk, error);
    if (!path)
      return NULL;
    const size_t n = strlen(path);
    if (path[n - 1] != '/')
      return path;
    if (enter(walk, n, error))
      return walk->path;
  }
}
