/* picture_file.h - where the pictures of a photo go, and their writing: beside it, below a folder
 * that keeps its path, or into a named file; never over the photo. Implemented in
 * server/cli/picture_file.c. Any thread. */
#ifndef PICTURE_FILE_H
#define PICTURE_FILE_H
#include "cam_engine.h"
#include "photo_source.h"

typedef struct picture_place {
  const char *file;   /* -o: the one picture there is; "-": standard output */
  const char *folder; /* --output-dir, where file is NULL; both NULL: beside the photo */
  cam_picture picture;
} picture_place;

/* kind "": "cat.jpg" -> "cat.cam.png"; ".heat": "cat.cam.heat.png"; but "cat.jpg.cam.png" where
 * another photo lies beside it that is called so but for its ending, "cat.webp". For free(); NULL:
 * no memory. */
char *picture_path(const picture_place *place, const found_photo *photo, const char *kind);

/* Writes a picture, whole or not at all, and makes place->folder and the folders of its path below
 * it, none of which may be a link. A file or link that is there is replaced, but for -o's: a link,
 * pipe or device of that name is written to. CAM_E_IO; CAM_E_PARAMETER: path is the photo itself.
 */
cam_code picture_write(const picture_place *place, const char *path, const found_photo *photo,
                       const cam_bytes *bytes, cam_error *error);

/* Whether a PNG may be written here: nothing is lost but a PNG. */
bool picture_may_be_png(const char *path);
/* Whether two paths lead to one file. */
bool picture_is_same_file(const char *a, const char *b);
/* By the ending of a name: *out. *found false: a name without an ending, as "where" or "-". CAM_OK
 * or CAM_E_PARAMETER: the ending is another one than those of the pictures that camserve writes. */
cam_code picture_of_name(const char *name, bool *found, cam_picture *out, cam_error *error);

#endif
