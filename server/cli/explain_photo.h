/* explain_photo.h - one photo of `camserve explain`: read, explained, its pictures written, and
 * what is said of it as text. Implemented in server/cli/explain_photo.c. Thread: any, each with a
 * photo and a context of its own. */
#ifndef EXPLAIN_PHOTO_H
#define EXPLAIN_PHOTO_H
#include "photo_source.h"
#include "picture_file.h"
#include "wire/request_id.h"

/* How a photo is said: for people; what POST /cam answers, alone or as one of "results"; a line; a
 * piece of a gallery. */
typedef enum explain_form { FORM_TABLE, FORM_ONE, FORM_ITEM, FORM_LINE, FORM_GALLERY } explain_form;

/* What holds for all photos of a run. */
typedef struct explain_terms {
  const cam_model_info *model;
  size_t max_bytes;    /* of a photo's file */
  cam_params params;   /* of the engine */
  cam_params said;     /* the same, without what goes into files and not into JSON */
  unsigned into_files; /* CAM_INCLUDE_... of the pictures that become files */
  picture_place place;
  explain_form form;
  const char *show_input; /* where a picture of what the network sees goes, or NULL */
  char request_id[REQUEST_ID_MAX + 1];
} explain_terms;

typedef struct explained_photo {
  found_photo found; /* given */
  cam_task task;     /* its result is gone */
  cam_error unsaved; /* why a picture could not be written */
  double stage_ms[CAM_STAGE_COUNT], total_ms;
  char *text; /* NULL: no memory; or, for people, the photo failed */
  size_t n_text;
  char *seen; /* the numbers of what the network sees, for people; NULL: not asked for */
} explained_photo;

/* Fills in what is not given. photo needs explained_photo_free. */
void explained_photo_make(const explain_terms *terms, explained_photo *photo, cam_context *context);
void explained_photo_free(explained_photo *photo);

/* A path where people read: "-" by another name, control characters as '?'. For free(). */
char *shown_path(const char *path, const char *stream);

#endif
