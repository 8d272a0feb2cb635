/* file.c - reads a file only after a look at what it is: a pipe would be waited for, a device never
 * ends. Thread: any. */
#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static cam_code read_open(int file, const char *setting, const char *path, size_t most, char **text,
                          size_t *n, cam_error *error) {
  struct stat status;
  if (fstat(file, &status))
    return cam_fail(error, CAM_E_IO, "%s: %.90s: %s", setting, path, strerror(errno));
  if (!S_ISREG(status.st_mode))
    return cam_fail(error, CAM_E_IO, "%s: %.90s: not a regular file", setting, path);
  if (status.st_size < 1 || (size_t)status.st_size > most)
    return cam_fail(error, CAM_E_IO, "%s: %.70s: %lld bytes; allowed are 1 to %zu", setting, path,
                    (long long)status.st_size, most);
  size_t size = (size_t)status.st_size, used = 0;
  char *bytes = malloc(size + 1);
  if (!bytes)
    return cam_fail(error, CAM_E_NO_MEMORY, "%s: no memory for %zu bytes", setting, size);
  ssize_t got = 1;
  while (used < size && got > 0) {
    got = read(file, bytes + used, size - used);
    if (got > 0)
      used += (size_t)got;
  }
  if (used < size) {
    file_forget(bytes, used);
    return cam_fail(error, CAM_E_IO, "%s: %.90s: %s", setting, path,
                    got < 0 ? strerror(errno) : "it was changed while it was read");
  }
  bytes[size] = 0;
  *text = bytes;
  *n = size;
  return CAM_OK;
}

cam_code file_read(const char *setting, const char *path, size_t most, char **text, size_t *n,
                   cam_error *error) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0)
    return cam_fail(error, CAM_E_IO, "%s: %.90s: %s", setting, path, strerror(errno));
  cam_code code = read_open(file, setting, path, most, text, n, error);
  close(file);
  return code;
}

void file_forget(char *text, size_t n) {
  if (!text)
    return;
  explicit_bzero(text, n);
  free(text);
}
