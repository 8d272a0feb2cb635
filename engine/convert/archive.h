/* archive.h - entries of a zip archive in memory, over libzip, which only archive.c names. One
 * thread at a time. */
#ifndef ARCHIVE_H
#define ARCHIVE_H
#include "arena.h"
#include "cam_error.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct archive archive;
/* bytes[0..n) must outlive it. CAM_E_WEIGHTS if it is not an archive. */
cam_code archive_open(const uint8_t *bytes, size_t n, archive **out, cam_error *error);
void archive_close(archive *zip); /* NULL is allowed */
/* "folder/", the first that holds the file `name`, or "" if that is not in a folder. From the
 * arena. */
cam_code archive_folder_of(archive *zip, arena *from, const char *name, const char **folder,
                           cam_error *error);
bool archive_has(archive *zip, const char *name);
/* A whole entry, inflated into the arena, whose budget bounds it; its checksum is checked. */
cam_code archive_read(archive *zip, arena *from, const char *name, const uint8_t **out, size_t *n,
                      cam_error *error);

#endif
