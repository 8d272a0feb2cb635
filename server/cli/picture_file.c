/* picture_file.c - picture_file.h. Where other parties may write, too, a picture's name may be
 * there already, as a link: each is written beside its place and renamed into it, so that the link
 * goes, not what it leads to. */
#include "picture_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names ---- */

/* Length of a path without its extension. */
static size_t stem_length(const char *path) {
  const char *slash = strrchr(path, '/'), *base = path;
  if (slash)
    base = slash + 1;
  const char *dot = strrchr(base, '.');
  if (!dot || dot == base)
    return strlen(path);
  return (size_t)(dot - path);
}

typedef struct neighbour {
  const char *path;
  size_t n_stem;
} neighbour;

static bool is_there(const neighbour *photo, const char *ending, bool capitals) {
  char *path;
  if (asprintf(&path, "%.*s.%s", (int)photo->n_stem, photo->path, ending) < 0)
    return false;
  for (char *c = path + photo->n_stem; capitals && *c; c++)
    if (*c >= 'a' && *c <= 'z')
      *c = (char)(*c - 'a' + 'A');
  const bool found = strcmp(path, photo->path) && !access(path, F_OK);
  free(path);
  return found;
}
static bool is_neighbour(void *closure, const char *ending) {
  return is_there(closure, ending, false) || is_there(closure, ending, true);
}

/* What a folder of pictures keeps of a path: what is behind its last "..", without the slashes and
 * points that it begins with. */
static const char *kept_path(const char *path) {
  const char *kept = path;
  for (const char *part = path; *part;) {
    const size_t n = strcspn(part, "/");
    const char *next = part + n + strspn(part + n, "/");
    if (!n || (n == 1 && part == kept && *part == '.') || (n == 2 && !strncmp(part, "..", 2)))
      kept = next;
    part = next;
  }
  return kept;
}

char *picture_path(const picture_place *place, const found_photo *photo, const char *kind) {
#define X(id, name, extension, type) extension,
  static const char *const extensions[] = {CAM_PICTURES(X)};
#undef X
  if (place->file)
    return strdup(place->file);
  const char *folder = "", *slash = "", *path = photo->path;
  if (photo->standard_input)
    path = "stdin";
  size_t n = stem_length(path);
  if (walk_any_ending(is_neighbour, &(neighbour){path, n}))
    n = strlen(path);
  if (place->folder) {
    const char *kept = kept_path(path);
    if (photo->below)
      kept = path + photo->below;
    n -= (size_t)(kept - path);
    path = kept;
    folder = place->folder;
    slash = "/";
  }
  char *out;
  if (asprintf(&out, "%s%s%.*s.cam%s.%s", folder, slash, (int)n, path, kind,
               extensions[place->picture]) < 0)
    return NULL;
  return out;
}

bool picture_is_same_file(const char *a, const char *b) {
  struct stat one, other;
  return !stat(a, &one) && !stat(b, &other) && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

bool picture_may_be_png(const char *path) {
  static const char png[] = "\x89PNG\r\n\x1a\n";
  char head[sizeof png] = "";
  FILE *file = fopen(path, "rbe");
  if (!file)
    return errno == ENOENT || errno == ENOTDIR; /* what goes wrong, writing will say */
  const size_t n = fread(head, 1, sizeof png - 1, file);
  const bool unread = ferror(file);
  fclose(file);
  return !unread && (!n || !strcmp(head, png));
}

cam_code picture_of_name(const char *name, bool *found, cam_picture *out, cam_error *error) {
#define X(id, its_name, extension, type) {id, its_name}, {id, extension},
  static const struct {
    cam_picture picture;
    const char *ending;
  } endings[] = {CAM_PICTURES(X)};
#undef X
  const char *ending = name + stem_length(name);
  *found = false;
  if (!*ending)
    return CAM_OK;
  for (size_t i = 0; i < sizeof endings / sizeof *endings && !*found; i++) {
    *found = !strcasecmp(ending + 1, endings[i].ending);
    if (*found)
      *out = endings[i].picture;
  }
  if (*found)
    return CAM_OK;
  const char *hint = "";
  if (strcasestr(ending, "json"))
    hint = "; for JSON > FILE, or --jsonl -o";
  return cam_fail(error, CAM_E_PARAMETER, "-o %.80s: pictures are PNG or JPEG: .png, .jpg%s", name,
                  hint);
}

/* ---- writing ---- */

static cam_code not_written(const char *path, int why, cam_error *error) {
  return cam_fail(error, CAM_E_IO, "picture %.100s cannot be written: %s", path, strerror(why));
}

static cam_code not_entered(const char *folder, int why, cam_error *error) {
  struct stat status;
  const char *words = strerror(why);
  if (!lstat(folder, &status) && S_ISLNK(status.st_mode))
    words = "it is a link";
  return cam_fail(error, CAM_E_IO, "pictures cannot be written below %.100s: %s", folder, words);
}

/* Enters name in folder, which it closes; makes it where it is missing. -1: errno says why. */
static int enter_folder(int folder, const char *name) {
  mkdirat(folder, name, 0777); /* what goes wrong, entering says */
  const int inner = openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  const int why = errno;
  close(folder);
  errno = why;
  return inner;
}

/* The folder of path: its bytes before `below` are the caller's own words and may lead over links;
 * what is behind is entered name by name. make: the caller's own folder, where it is missing. -1:
 * error. path is for scratch, and whole afterwards. */
static int open_folder(char *path, size_t below, bool make, cam_error *error) {
  int folder = AT_FDCWD;
  if (below) {
    const char kept = path[below];
    path[below] = '\0';
    if (make)
      mkdir(path, 0777);
    folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    path[below] = kept;
  }
  if (folder == -1)
    not_written(path, errno, error);
  char *part = path + below;
  for (char *slash = strchr(part, '/'); slash && folder != -1; slash = strchr(part, '/')) {
    *slash = '\0';
    if (*part)
      folder = enter_folder(folder, part);
    if (folder == -1)
      not_entered(path, errno, error);
    *slash = '/';
    part = slash + 1;
  }
  return folder;
}

/* Bytes of path that are followed as they are. */
static size_t followed(const picture_place *place, const char *path) {
  const char *slash = strrchr(path, '/');
  if (place->folder && !place->file)
    return strlen(place->folder) + 1;
  if (!slash)
    return 0;
  return (size_t)(slash - path) + 1;
}

/* Whether everything is in the stream, which is closed; errno says why not. */
static bool put_bytes(FILE *stream, const void *bytes, size_t n) {
  const bool put = fwrite(bytes, 1, n, stream) == n && !fflush(stream);
  const int why = errno;
  if (stream == stdout)
    return put;
  const bool closed = !fclose(stream);
  if (!put)
    errno = why;
  return put && closed;
}

/* Into name in folder, whole or not at all. */
static bool replace(int folder, const char *name, const void *bytes, size_t n) {
  static atomic_uint serial;
  char beside[64];
  snprintf(beside, sizeof beside, ".camserve.%ld.%u.unfinished", (long)getpid(),
           atomic_fetch_add(&serial, 1));
  const int file = openat(folder, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                          0666);
  if (file < 0)
    return false;
  FILE *stream = fdopen(file, "wb");
  if (!stream)
    close(file);
  if (stream && put_bytes(stream, bytes, n) && !renameat(folder, beside, folder, name))
    return true;
  const int why = errno;
  unlinkat(folder, beside, 0);
  errno = why;
  return false;
}

/* What -o names may be a pipe, a device or a link: it is written to as it is. */
static bool is_for_writing_into(const picture_place *place, const char *path) {
  struct stat status;
  return place->file && !lstat(path, &status) && !S_ISREG(status.st_mode);
}

static cam_code write_into(const char *path, const void *bytes, size_t n, cam_error *error) {
  FILE *stream = stdout;
  if (strcmp(path, "-"))
    stream = fopen(path, "wbe");
  if (!stream || !put_bytes(stream, bytes, n))
    return not_written(path, errno, error);
  return CAM_OK;
}

static cam_code write_bytes(const picture_place *place, const char *path, const void *bytes,
                            size_t n, cam_error *error) {
  if (!strcmp(path, "-") || is_for_writing_into(place, path))
    return write_into(path, bytes, n, error);
  char *copy = strdup(path);
  if (!copy)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a path");
  const char *slash = strrchr(path, '/'), *name = path;
  if (slash)
    name = slash + 1;
  const int folder = open_folder(copy, followed(place, path), place->folder != NULL, error);
  free(copy);
  if (folder == -1)
    return error->code;
  cam_code code = CAM_OK;
  if (!replace(folder, name, bytes, n))
    code = not_written(path, errno, error);
  if (folder != AT_FDCWD)
    close(folder);
  return code;
}

cam_code picture_write(const picture_place *place, const char *path, const found_photo *photo,
                       const cam_bytes *bytes, cam_error *error) {
  if (!photo->standard_input && strcmp(path, "-") && picture_is_same_file(path, photo->path))
    return cam_fail(error, CAM_E_PARAMETER, "%.80s: the picture would be written over the photo",
                    path);
  return write_bytes(place, path, bytes->data, bytes->size, error);
}
