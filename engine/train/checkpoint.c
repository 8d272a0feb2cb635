/* checkpoint.c - checkpoint.h. The file: a line that says what it is, the run, the size of each
 * part in 8 bytes, the parts, and the SHA-256 of all before it: of the run, the sizes and each
 * part's own hash, as text. */
#include "checkpoint.h"
#include "cam_encoding.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUN = 64, HASH = 64, MAX_NAME = 4096 };
static const char magic[] = "camserve checkpoint 1\n";
enum { MAGIC = sizeof magic - 1, HEAD = MAGIC + RUN };

static void hash_parts(const char *run, const checkpoint_part *parts, int n, char out[HASH + 1]) {
  char text[RUN + CHECKPOINT_PARTS * (HASH + 1 + 24)];
  size_t used = (size_t)snprintf(text, sizeof text, "%.*s", RUN, run);
  for (int i = 0; i < n; i++) {
    char hash[HASH + 1];
    cam_sha256_hex(parts[i].data, parts[i].bytes, hash);
    used += (size_t)snprintf(text + used, sizeof text - used, " %zu:%s", parts[i].bytes, hash);
  }
  cam_sha256_hex((const uint8_t *)text, used, out);
}

/* ---- writing ---- */

static bool put_all(FILE *file, const char *run, const checkpoint_part *parts, int n) {
  char hash[HASH + 1];
  bool written = fprintf(file, "%s%.*s", magic, RUN, run) == HEAD;
  for (int i = 0; i < n && written; i++) {
    const uint64_t bytes = parts[i].bytes;
    written = fwrite(&bytes, sizeof bytes, 1, file) == 1;
  }
  for (int i = 0; i < n && written; i++)
    written = fwrite(parts[i].data, 1, parts[i].bytes, file) == parts[i].bytes;
  hash_parts(run, parts, n, hash);
  return written && fwrite(hash, 1, HASH, file) == HASH && !fflush(file) && !fsync(fileno(file));
}

cam_code checkpoint_write(const char *path, const char *run, const checkpoint_part *parts, int n,
                          cam_error *error) {
  char unfinished[MAX_NAME];
  if (snprintf(unfinished, sizeof unfinished, "%s.tmp", path) >= (int)sizeof unfinished)
    return cam_fail(error, CAM_E_IO, "a path is too long");
  FILE *file = fopen(unfinished, "wbe");
  bool written = file && put_all(file, run, parts, n);
  int why = errno;
  if (file && fclose(file) && written) {
    why = errno;
    written = false;
  }
  if (written && rename(unfinished, path)) {
    why = errno;
    written = false;
  }
  if (written)
    return CAM_OK;
  if (file)
    remove(unfinished);
  return cam_fail(error, CAM_E_IO, "checkpoint %.100s: %s", path, strerror(why));
}

/* ---- reading ---- */

static cam_code damaged(const char *path, cam_error *error) {
  return cam_fail(error, CAM_E_MODEL, "checkpoint %.80s is cut off or damaged: remove it", path);
}

static cam_code check_head_of(FILE *file, const char *path, const char *run, cam_error *error) {
  char head[HEAD];
  if (fread(head, 1, HEAD, file) != HEAD || memcmp(head, magic, MAGIC))
    return cam_fail(error, CAM_E_MODEL, "%.100s is no checkpoint: remove it", path);
  if (memcmp(head + MAGIC, run, RUN))
    return cam_fail(error, CAM_E_MODEL,
                    "checkpoint %.60s is of another run: of other photos, options or another "
                    "model; remove it, or leave --resume out",
                    path);
  return CAM_OK;
}

static bool take_parts(FILE *file, const char *run, const checkpoint_part *parts, int n) {
  char hash[HASH + 1], expected[HASH + 1];
  for (int i = 0; i < n; i++) {
    uint64_t bytes;
    if (fread(&bytes, sizeof bytes, 1, file) != 1 || bytes != parts[i].bytes)
      return false;
  }
  for (int i = 0; i < n; i++)
    if (fread(parts[i].data, 1, parts[i].bytes, file) != parts[i].bytes)
      return false;
  if (fread(hash, 1, HASH, file) != HASH || getc(file) != EOF)
    return false;
  hash_parts(run, parts, n, expected);
  return !memcmp(hash, expected, HASH);
}

cam_code checkpoint_read(const char *path, const char *run, const checkpoint_part *parts, int n,
                         cam_error *error) {
  FILE *file = fopen(path, "rbe");
  if (!file && errno == ENOENT)
    return cam_fail(error, CAM_E_NOT_FOUND, "checkpoint %.100s is not there", path);
  if (!file)
    return cam_fail(error, CAM_E_IO, "checkpoint %.100s: %s", path, strerror(errno));
  cam_code code = check_head_of(file, path, run, error);
  if (!code && !take_parts(file, run, parts, n))
    code = damaged(path, error);
  fclose(file);
  return code;
}
