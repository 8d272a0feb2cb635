/* report_folder.c - report_folder.h. A folder is ours if its files are those of a report, and its
 * report.json begins like one; nothing else is ever taken away. Two names change places in one step
 * where the file system can do so, so that at each moment one of both reports is there. */
#include "report_folder.h"
#include "cam_minmax.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const report_file_names[] = {"index.html", "report.json", "predictions.csv", NULL};

/* How the report.json of each of them begins, white space apart. */
static const char ours[] = "{\"camserve_report\":";

/* ---- what is there ---- */

static bool is_file_of_report(const char *name) {
  for (int i = 0; report_file_names[i]; i++)
    if (!strcmp(report_file_names[i], name))
      return true;
  return false;
}

/* Whether a folder holds nothing but files that a report may have; *n: how many. */
static bool has_only_ours(const char *path, int *n) {
  DIR *folder = opendir(path);
  bool only = folder != NULL;
  *n = 0;
  for (struct dirent *entry; only && (entry = readdir(folder));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
      continue;
    only = is_file_of_report(entry->d_name);
    ++*n;
  }
  if (folder)
    closedir(folder);
  return only;
}

static bool begins_like_ours(const char *path) {
  char *name, head[sizeof ours + 16] = "";
  if (asprintf(&name, "%s/report.json", path) < 0)
    return false;
  FILE *file = fopen(name, "re");
  free(name);
  size_t n = 0;
  for (int c; file && n < sizeof ours - 1 && (c = getc(file)) != EOF;)
    if (!strchr(" \t\n", c))
      head[n++] = (char)c;
  if (file)
    fclose(file);
  return !strcmp(head, ours);
}

static bool is_real_folder(const char *path) {
  struct stat status;
  return !lstat(path, &status) && S_ISDIR(status.st_mode);
}

static bool is_report(const char *path) {
  int n;
  return is_real_folder(path) && has_only_ours(path, &n) && (!n || begins_like_ours(path));
}

static void remove_ours(const char *path) {
  for (int i = 0; report_file_names[i]; i++) {
    char *name;
    if (asprintf(&name, "%s/%s", path, report_file_names[i]) < 0)
      return;
    unlink(name);
    free(name);
  }
  rmdir(path);
}

/* ---- beginning ---- */

static cam_code not_made(const char *path, cam_error *error) {
  return cam_fail(error, CAM_E_IO, "--report %.80s: cannot be written: %s", path, strerror(errno));
}

static cam_code check_report_place(const char *path, bool force, cam_error *error) {
  struct stat status;
  const char *last = strrchr(path, '/');
  last = last ? last + 1 : path;
  if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
    return cam_fail(error, CAM_E_PARAMETER, "--report %.80s: takes the name of a new folder", path);
  if (lstat(path, &status)) {
    if (errno == ENOENT)
      return CAM_OK;
    return not_made(path, error);
  }
  if (!is_report(path))
    return cam_fail(error, CAM_E_IO,
                    "--report %.80s: is there and no report of camserve's, so it is left as it is",
                    path);
  if (!force)
    return cam_fail(error, CAM_E_IO, "--report %.80s: is there already; --force replaces it", path);
  return CAM_OK;
}

/* What an earlier run has left there is used again; of one that still runs nothing is. */
static cam_code make_unfinished(report_folder *folder, cam_error *error) {
  int n;
  const bool made = !mkdir(folder->unfinished, 0777);
  if (!made && errno != EEXIST)
    return not_made(folder->path, error);
  if (!made && (!is_real_folder(folder->unfinished) || !has_only_ours(folder->unfinished, &n)))
    return cam_fail(error, CAM_E_IO, "--report: %.80s is in the way and not a report's",
                    folder->unfinished);
  folder->descriptor = open(folder->unfinished, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (folder->descriptor < 0)
    return not_made(folder->path, error);
  if (flock(folder->descriptor, LOCK_EX | LOCK_NB))
    return cam_fail(error, CAM_E_IO, "--report %.80s: another camserve is writing it",
                    folder->path);
  folder->begun = true;
  return CAM_OK;
}

cam_code report_folder_open(report_folder *out, const char *path, bool force, cam_error *error) {
  *out = (report_folder){.path = strdup(path), .descriptor = -1};
  if (!out->path)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a path");
  for (size_t n = strlen(out->path); n > 1 && out->path[n - 1] == '/'; n--)
    out->path[n - 1] = '\0';
  if (check_report_place(out->path, force, error))
    return error->code;
  if (asprintf(&out->unfinished, "%s.tmp", out->path) < 0) {
    out->unfinished = NULL;
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a path");
  }
  return make_unfinished(out, error);
}

/* ---- files ---- */

FILE *report_folder_create(const report_folder *folder, const char *name, cam_error *error) {
  unlinkat(folder->descriptor, name, 0);
  const int descriptor = openat(folder->descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                                0666);
  FILE *file = NULL;
  if (descriptor >= 0)
    file = fdopen(descriptor, "w");
  if (file)
    return file;
  not_made(folder->path, error);
  if (descriptor >= 0)
    close(descriptor);
  return NULL;
}

cam_code report_folder_close(const report_folder *folder, FILE *file, cam_error *error) {
  if (!file)
    return error->code;
  errno = 0;
  const bool failed = fflush(file) || ferror(file);
  const int why = errno;
  if (!fclose(file) && !failed)
    return CAM_OK;
  if (failed)
    errno = why;
  return not_made(folder->path, error);
}

/* ---- the end ---- */

/* Only what is a report at this moment is taken away. */
static bool exchange(report_folder *folder) {
  if (!renameat2(AT_FDCWD, folder->unfinished, AT_FDCWD, folder->path, RENAME_EXCHANGE)) {
    remove_ours(folder->unfinished); /* which is the old one */
    return true;
  }
  remove_ours(folder->path);
  return !rename(folder->unfinished, folder->path);
}

cam_code report_folder_finish(report_folder *folder, cam_error *error) {
  const bool there = is_report(folder->path);
  const bool placed = there ? exchange(folder) : !rename(folder->unfinished, folder->path);
  if (!placed)
    return not_made(folder->path, error);
  folder->begun = false;
  return CAM_OK;
}

void report_folder_drop(report_folder *folder) {
  if (folder->begun)
    remove_ours(folder->unfinished);
  if (folder->unfinished && folder->descriptor >= 0)
    close(folder->descriptor);
  free(folder->path);
  free(folder->unfinished);
  *folder = (report_folder){.descriptor = -1};
}
