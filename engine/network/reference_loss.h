/* reference_loss.h - the loss that training makes small, and its gradient, in double: the oracle of
 * the trainer (engine/train), as reference.h is of the forward pass. */
#ifndef REFERENCE_LOSS_H
#define REFERENCE_LOSS_H
#include "base/team.h"
#include "parameters.h"

/* Samples of one size. */
typedef struct reference_batch {
  int n, height, width;
  const float *const *planes; /* [n] of [height,width,channels]: the output of the node `cut` */
  const int *labels;          /* [n] */
  const double *weights;      /* [n] factors of the cross-entropies; NULL: each 1 */
  const double *factors; /* [n, inputs of the last fc] dropout: 0 or 1 / keep_prob; NULL: none */
} reference_batch;

/* loss[0]: the mean over the samples of softmax cross-entropy; loss[1]: decay * sum(w^2) / 2 over
 * the parameters that decay. values[parameters->count]: of all parameters, those behind the cut.
 * gradient, of the sum of both: as the values, written; NULL: not wanted. logits: [n,classes], or
 * NULL. CAM_E_NO_MEMORY, CAM_E_MODEL (shape). */
cam_code reference_loss(const cam_graph *graph, int cut, const parameters *p, const double *values,
                        const reference_batch *batch, double decay, cam_team *team, double loss[2],
                        double *gradient, double *logits, cam_error *error);

#endif
