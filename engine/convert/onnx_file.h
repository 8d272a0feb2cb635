/* onnx_file.h - an ONNX file as plain structures, its constants as numbers. Flow: bytes ->
 * [onnx_file] -> onnx_import -> draft -> model file. Only onnx_file.c knows protobuf. Untrusted
 * input: what unpacking may take is bounded by the file's size, external data by its own file's.
 * One thread at a time. */
#ifndef ONNX_FILE_H
#define ONNX_FILE_H
#include "arena.h"
#include "constant.h"

typedef struct onnx_attribute {
  const char *name;
  bool graph;  /* holds a graph, which is not read */
  double real; /* the one that its kind says; the others are 0 */
  int64_t whole;
  const char *text; /* "" if it is none */
  int n_reals, n_wholes;
  const float *reals;
  const int64_t *wholes;
  const constant *tensor; /* NULL if it is none */
} onnx_attribute;

typedef struct onnx_node {
  const char *name;        /* never "": a node without one goes by its first output */
  const char *op, *domain; /* "Conv", ""; "ai.onnx" is "", too */
  int n_inputs, n_outputs, n_attributes;
  char *const *inputs;  /* [n_inputs] names; "": not given */
  char *const *outputs; /* [n_outputs] */
  const onnx_attribute *attributes;
} onnx_node;

typedef struct onnx_value {
  const char *name;
  int rank;                       /* -1: not said */
  int64_t shape[NUMBER_MAX_RANK]; /* -1: not said, or a name */
} onnx_value;

typedef struct onnx_initializer {
  const char *name;
  const constant *value;
} onnx_initializer;

typedef struct onnx_property {
  const char *key, *value;
} onnx_property;

/* A file of external data, in the folder of the ONNX file. */
typedef struct onnx_beside {
  const char *name;
  const struct onnx_beside *next;
} onnx_beside;

typedef struct onnx_file {
  int64_t opset;                           /* of the operators without a domain */
  const char *producer, *producer_version; /* "" if not said */
  int n_nodes, n_initializers, n_inputs, n_outputs, n_properties;
  onnx_node *nodes;               /* [n_nodes] in the file's order */
  onnx_initializer *initializers; /* [n_initializers] by name */
  onnx_value *inputs, *outputs;   /* inputs: those that are no initializers */
  onnx_property *properties;      /* metadata_props */
  const onnx_beside *beside;      /* files that external data was read from */
  arena *memory;                  /* of all this */
  arena *external;                /* of external data */
  arena *values;                  /* for what is computed of it: as much as its size allows */
  size_t read;                    /* bytes: of the file, and external */
  void *unpacked;
} onnx_file;

/* CAM_E_IO, CAM_E_NO_MEMORY, or CAM_E_WEIGHTS naming the tensor or the bound. */
cam_code onnx_read(const char *path, onnx_file **out, cam_error *error);
void onnx_free(onnx_file *file); /* NULL is allowed */
/* NULL if absent. */
const onnx_attribute *onnx_find(const onnx_node *node, const char *attribute);

#endif
