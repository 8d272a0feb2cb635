/* file.h - a small file, read whole: keys, certificates. Implemented in server/base/file.c. Any
 * thread. */
#ifndef FILE_H
#define FILE_H
#include "cam_error.h"
#include <stddef.h>

/* Reads a regular file of 1 to `most` bytes. CAM_OK: *text is the caller's, *n bytes and a NUL.
 * Else CAM_E_IO, naming setting and path. */
cam_code file_read(const char *setting, const char *path, size_t most, char **text, size_t *n,
                   cam_error *error);
/* Overwrites and frees what file_read gave: it was secret. NULL is allowed. */
void file_forget(char *text, size_t n);

#endif
