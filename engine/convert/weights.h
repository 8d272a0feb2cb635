/* weights.h - trained weights as named views of numbers, whatever file they come from. Flow: file
 * -> reader -> [weights] -> join -> model file. One thread at a time. */
#ifndef WEIGHTS_H
#define WEIGHTS_H
#include "arena.h"
#include "cam_error.h"
#include "number.h"

typedef struct weight {
  const char *name;
  number_view view;
  bool used;
} weight;

typedef struct weights {
  const char *format; /* "PyTorch state dict" */
  const char *path;   /* the caller's, while it is read: other files may lie beside */
  int n, room;
  weight *list;  /* [n], by name once read */
  uint8_t *file; /* [n_file] the views and names point into it, and into the arena */
  size_t n_file;
  arena *memory;
} weights;

void weights_free(weights *all); /* NULL is allowed */
/* NULL if absent. The list is sorted. */
weight *weights_find(const weights *all, const char *name);

/* For readers: adds a tensor; the name is borrowed. */
cam_code weights_add(weights *to, const char *name, const number_view *view, cam_error *error);
/* For readers: "a" + separator + "b" from the arena; NULL: no memory. */
const char *weights_join_name(weights *of, const char *a, const char *separator, const char *b);

/* When all is added: sorts by name. CAM_E_WEIGHTS naming a tensor that is there twice. */
cam_code weights_sort(weights *all, cam_error *error);

#endif
