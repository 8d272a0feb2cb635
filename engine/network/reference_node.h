/* reference_node.h - one node of the reference, forward (reference.c) and backward
 * (reference_adjoint.c): what both need of it. Thread: any; they touch nothing else. */
#ifndef REFERENCE_NODE_H
#define REFERENCE_NODE_H
#include "base/team.h"
#include "graph.h"
#include "parameters.h"

/* Of a node that has a quantization `at` are levels of 0 to 255. */
typedef struct reference_plane {
  int height, width, channels;
  double *at; /* [height,width,channels] */
} reference_plane;

typedef struct reference_call {
  const cam_graph *graph; /* of 8-bit nodes only */
  const cam_node *node;
  reference_plane in[NODE_MAX_INPUTS], out;
  reference_plane residual; /* of an 8-bit unit: what is added to its sums */
  const int32_t *bias;      /* [channels] of a convolution in integers: what its sums begin with */
  int top, left;            /* padding before */
  const double *exact[SLOTS]; /* the node's tensors in double; NULL: as the graph has them */
} reference_call;

/* The call's padding, by its first input, which is set. */
void reference_pad(reference_call *call);

/* Value i of a tensor that the node has. */
double reference_value(const reference_call *call, node_slot slot, size_t i);

/* height * width * channels */
size_t reference_values(const reference_plane *plane);
/* A cell, which is inside: [channels]. */
double *reference_cell(const reference_plane *plane, int y, int x);
bool reference_inside(const reference_plane *plane, int y, int x);
/* Is the cell in the first input or its padding? (A window of ceil_mode may reach past both.) */
bool reference_is_padded(const reference_call *call, int y, int x);

/* Writes the output. */
void reference_node(const reference_call *call, cam_team *team);

/* Gradients of some number by what a call reads and writes. */
typedef struct reference_gradient {
  const double *out;           /* as the call's output */
  double *in[NODE_MAX_INPUTS]; /* as its inputs, added to; NULL: not wanted */
  double *tensor[SLOTS];       /* as the node's tensors, added to; NULL: not wanted */
} reference_gradient;

/* Adds, to what `to` points to, the gradients that follow from to->out. The call's output is the
 * one that reference_node wrote. Where an activation has a kink it is 0, as on its flat side; of
 * equal values the first of a window is its largest. */
void reference_node_adjoint(const reference_call *call, const reference_gradient *to);

#endif
