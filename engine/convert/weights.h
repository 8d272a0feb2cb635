/* weights.h - a file of trained weights as named views of numbers. Flow: file -> [weights] -> join
 * -> model file. Readers, told apart by the first bytes: a table in weights.c. One thread at a
 * time. */
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
  int n, room;
  weight *list;  /* [n], by name once read */
  uint8_t *file; /* [n_file] the views and names point into it, and into the arena */
  size_t n_file;
  arena *memory;
} weights;

/* CAM_E_IO, CAM_E_WEIGHTS naming tensor, opcode or global, CAM_E_NO_MEMORY. */
cam_code weights_read(const char *path, weights **out, cam_error *error);
void weights_free(weights *all);                            /* NULL is allowed */
weight *weights_find(const weights *all, const char *name); /* NULL if absent */

/* For readers: adds a tensor; the name is borrowed. */
cam_code weights_add(weights *to, const char *name, const number_view *view, cam_error *error);
/* For readers: "a" + separator + "b" from the arena; NULL: no memory. */
const char *weights_join_name(weights *of, const char *a, const char *separator, const char *b);

/* The readers. all->file is read; they add what it holds. */
cam_code npy_read(weights *all, cam_error *error); /* NumPy: a pickled dict of arrays */
cam_code pth_read_legacy(
    weights *all, cam_error *error); /* PyTorch before 1.6: pickles in a row, then the numbers */
cam_code pth_read_zip(weights *all, cam_error *error); /* PyTorch since 1.6 */

#endif
