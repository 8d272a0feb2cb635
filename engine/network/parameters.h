/* parameters.h - the tensors of a network that training moves, each once, and a place for the
 * values of all of them in one array. Flow: graph -> [parameters] -> trainer, adjoints. Thread:
 * found once, then immutable. */
#ifndef PARAMETERS_H
#define PARAMETERS_H
#include "graph.h"

/* What a node may have a tensor for. */
typedef enum node_slot { SLOT_WEIGHT, SLOT_BIAS, SLOT_SCALE, SLOT_SHIFT, SLOTS } node_slot;

/* NULL: the node has none. */
const cam_tensor *node_tensor(const cam_node *node, node_slot slot);

typedef struct parameter {
  const cam_tensor *tensor; /* of the graph */
  bool decays;              /* the weight of a conv or an fc */
  size_t at;                /* of its first value among the values of all */
} parameter;

typedef struct parameters {
  int n;
  parameter *list;  /* [n], in the order of the nodes */
  int (*of)[SLOTS]; /* [nodes] which one a node has; -1: none */
  size_t count;     /* values of all */
} parameters;

/* Those of the nodes behind `cut`, a node or GRAPH_INPUT. A tensor that several nodes have is one.
 * *out is for parameters_free whatever the code. CAM_E_NO_MEMORY. */
cam_code parameters_find(const cam_graph *graph, int cut, parameters *out, cam_error *error);
void parameters_free(parameters *p);

#endif
