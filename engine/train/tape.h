/* tape.h - a part of a network run forward with all that its adjoint needs kept, then backward.
 * Flow: trainer -> [tape] -> operators (train_op.h). Thread: planning by one; a tape is then
 * immutable, and each thread runs it in an arena of its own.
 *
 * Samples go through together, `samples` at most: a plane is [n,height,width,channels], so that a
 * 1x1 convolution is one product over the cells of all. */
#ifndef TAPE_H
#define TAPE_H
#include "network/parameters.h"

typedef struct tape tape;

/* Which nodes: those behind `cut` up to `last`; and what for. */
typedef struct tape_part {
  const cam_graph *graph;
  const parameters *set; /* of the nodes behind the cut */
  int cut, last;
  bool backward; /* else only forward: planes go when they are read */
  bool dropout;  /* before the last fc */
} tape_part;

/* For planes of height x width at the cut. part->graph and part->set are borrowed. *out is for
 * tape_free whatever the code. Errors as cut_shapes. */
cam_code tape_create(const tape_part *part, int height, int width, int samples, tape **out,
                     cam_error *error);
void tape_free(tape *t); /* NULL is allowed */

/* Floats of an arena, and of what is in it for the caller: the plane at the cut, to be written
 * before tape_forward; the output of `last`; its gradient, to be written before tape_backward. */
size_t tape_floats(const tape *t);
float *tape_input(const tape *t, float *arena);
float *tape_output(const tape *t, float *arena);
float *tape_output_gradient(const tape *t, float *arena);

/* n samples. values: of all parameters of the set; where it is NULL, the graph's own. factors
 * [n, inputs of the last fc]: of a tape with dropout. */
void tape_forward(const tape *t, float *arena, int n, const float *values, const float *factors);
/* After it, in the same arena: what the samples give is added to gradient, which is as the values.
 */
void tape_backward(const tape *t, float *arena, int n, const float *values, const float *factors,
                   float *gradient);

#endif
