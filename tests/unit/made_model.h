/* made_model.h - small model files for tests: a graph as JSON nodes, tensors as "name:AxBxC" with
 * pseudo-random values. */
#ifndef MADE_MODEL_H
#define MADE_MODEL_H

typedef struct made_model {
  const char *nodes;   /* the elements of "nodes" */
  const char *tensors; /* "w:3x3x3x8 b:8 fc:5x8"; "w:1x1x3x8*100" is a hundred times as large */
  int classes, height, width;
  int max_side;      /* 0: the network takes height x width alone */
  const char *extra; /* further members of the document, each ending with a comma, or NULL;
                        "map" in place of half_pixel's own */
} made_model;

/* Writes the file under build/ or TMPDIR; returns its path (static storage, one at a time). Fails
 * the test if it cannot. */
const char *made_model_write(const made_model *model);
/* Writes any bytes there. */
const char *made_file_write(const void *bytes, unsigned long n);

#endif
