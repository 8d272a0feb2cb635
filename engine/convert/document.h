/* document.h - small helpers with text files and JSON. Any thread. */
#ifndef DOCUMENT_H
#define DOCUMENT_H
#include "cam_json.h"

/* A whole text file of at most `most` bytes, NUL-terminated, for free(); NULL with *error filled.
 */
char *document_read_text(const char *path, size_t most, size_t *n, cam_error *error);
/* Adds a copy of value, whatever it is, under parent (name NULL: an array). */
void document_copy(json *parent, const char *name, const json *value);
/* CAM_E_PARAMETER naming both where output is the file `input` (NULL is allowed), by whatever
 * names: writing it would destroy what it is made of. */
cam_code document_keep(const char *output, const char *input, cam_error *error);
/* CAM_E_IO: there is no such file, or it may not be read. */
cam_code document_readable(const char *path, cam_error *error);
/* CAM_E_IO: no file can be written there. Leaves what is there, and nothing where nothing was. */
cam_code document_writable(const char *path, cam_error *error);
/* A path's last name, in the path: errors have room for no more. */
const char *document_last_name(const char *path);

#endif
