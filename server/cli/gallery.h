/* gallery.h - the page of `camserve explain --html`: one file that needs no other and asks nobody
 * for anything. It grows photo by photo beside its place and takes it when it is whole. Implemented
 * in server/cli/gallery.c; what is said of one photo in server/cli/gallery_photo.c. Thread: one at
 * a time; gallery_photo_text: any. */
#ifndef GALLERY_H
#define GALLERY_H
#include "cam_engine.h"
#include <stdio.h>

/* Of a photo's JPEG: with ten maps of 14 x 14 cells a thousand photos stay under 60 MB. */
enum { GALLERY_SIDE = 400, GALLERY_JPEG_BYTES = 30000 };

typedef struct gallery {
  const char *path; /* where it will be */
  char *unfinished; /* where it is until then; NULL: nowhere */
  FILE *file;
} gallery;

/* Begins the page; params are those of all its photos. CAM_E_IO: it cannot be written, or something
 * else than such a page is there, which is left as it is. */
cam_code gallery_open(gallery *page, const char *path, const cam_model_info *model,
                      const cam_params *params, cam_error *error);
/* Adds text[0..n), a photo. CAM_E_IO. */
cam_code gallery_add(gallery *page, const char *text, size_t n, cam_error *error);
/* Ends the page and puts it into its place. Not CAM_OK: gallery_drop is still needed. */
cam_code gallery_finish(gallery *page, cam_error *error);
/* What is not finished leaves nothing behind. An empty or finished one is allowed. */
void gallery_drop(gallery *page);

/* What the page holds of one photo: jpeg is small, and not looked at if the task failed. For
 * free(); NULL: no memory. *n: length. */
char *gallery_photo_text(const cam_model_info *model, const char *path, const cam_task *task,
                         const cam_bytes *jpeg, size_t *n);
#endif
