/* reference.h - the network in double precision and plain loops: slow and obviously right. The
 * oracle of the tests and of the self-test that `camserve convert` stores; never on a request's
 * way. One operator, one function, straight from its definition. What is of 8 bits is computed in
 * whole numbers (reference_int8.c): of a network that is bit-exact the logits are the layers' own.
 */
#ifndef REFERENCE_H
#define REFERENCE_H
#include "base/team.h"
#include "graph.h"

/* input [height,width,3] as the network sees it -> logits [classes]; features (NULL allowed): [grid
 * height, grid width, C] that the head reads. Rows are shared over the team's threads.
 * CAM_E_NO_MEMORY, CAM_E_MODEL (shape). */
cam_code reference_forward(const cam_graph *graph, cam_team *team, const void *input, int height,
                           int width, double *logits, double *features, cam_error *error);

/* The head alone, which must not be on the picture itself: features [height,width,C] -> logits. */
cam_code reference_head(const cam_graph *graph, cam_team *team, const double *features, int height,
                        int width, double *logits, cam_error *error);

#endif
