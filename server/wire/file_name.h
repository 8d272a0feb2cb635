/* file_name.h - paths, which are bytes, as JSON, which is UTF-8. Implemented in
 * server/wire/file_name.c. Any thread. */
#ifndef FILE_NAME_H
#define FILE_NAME_H
#include "cam_json.h"

/* Adds "file": path. Of a path that is not UTF-8 each byte that fits nowhere is shown as U+FFFD,
 * and "file_base64" has the bytes. */
void file_name_add(json *object, const char *path);
/* What these two members say of a path that no other path says: "file_base64" where it is there,
 * else "file". For free(); NULL: no memory. */
char *file_name_key(const char *path);

#endif
