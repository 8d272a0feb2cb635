/* photo_source.h - what the command line names -> photos, one after another, in order: operands
 * (photos and folders) first, then those of a list. Implemented in server/cli/photo_source.c.
 * Thread: one at a time. */
#ifndef PHOTO_SOURCE_H
#define PHOTO_SOURCE_H
#include "path_list.h"
#include "walk.h"

typedef struct photo_source {
  char *const *operands;
  int n_operands, at;
  bool walks_one;     /* there is one folder, and nothing else */
  int passed;         /* operands that are pictures of camserve's own */
  passed_over others; /* in folders that have photos, too */
  struct walk *walk;  /* within the operand before at; NULL: in none */
  size_t walked;      /* photos of it so far */
  path_list list;
} photo_source;

typedef struct found_photo {
  char *path;          /* for free(); NULL: there are no more */
  size_t below;        /* where in it what an output folder keeps begins */
  bool standard_input; /* path is "-" */
  cam_error error;     /* of this one: it cannot be read */
} found_photo;

/* list: the file of a list, "-" or NULL; list_end as in path_list_open. */
cam_code photo_source_open(photo_source *source, char *const *operands, int n_operands,
                           const char *list, char list_end, cam_error *error);
/* The next one; *out is the caller's. Not CAM_OK: nothing more can be found. */
cam_code photo_source_next(photo_source *source, found_photo *out, cam_error *error);
void photo_source_close(photo_source *source);

/* Whether it may find so many photos: from a folder and a list anything may come. */
bool photo_source_may_have(const photo_source *source, int n);

#endif
