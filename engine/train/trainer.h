/* trainer.h - moves the weights of a network so that its labels become those of given photos. Flow:
 * photos as the network sees them, or planes from within it -> [trainer] -> weights. Thread: one
 * caller at a time; the team shares each call.
 *
 * The loss is the original's: the mean over the samples of softmax cross-entropy, plus weight_decay
 * * sum(w^2) / 2 over every weight of a conv or fc, with dropout before the last fc. All tensors of
 * the nodes behind the cut move: weights, biases, and scale and shift of affine and layer_norm. A
 * batch norm that was folded into a convolution moves as part of its weights; one that stands alone
 * is an affine and moves, too; neither looks at the batch.
 *
 * The same calls give the same bits on any number of threads: see trainer.c. */
#ifndef TRAINER_H
#define TRAINER_H
#include "base/team.h"
#include "network/graph.h"

typedef struct trainer trainer;

typedef struct train_options {
  double momentum;     /* 0: plain SGD; less than 1. m = momentum * m + g; v = v - rate * m */
  double weight_decay; /* 0 and more */
  double keep_prob;    /* more than 0, up to 1: 1 is no dropout */
  uint64_t seed;       /* of dropout's masks; sample, step and seed determine one */
} train_options;

/* Of one step, before the weights move; the loss is the sum of the first two. */
typedef struct train_loss {
  double cross_entropy, weight_decay;
  int right; /* samples whose largest logit was their label's, dropout included */
} train_loss;

/* What a step learns from. All samples have one size. */
typedef struct train_batch {
  int n;                      /* samples, 1 and more */
  int height, width;          /* of each plane */
  const float *const *planes; /* [n] of [height,width,channels]: pictures as the network sees them,
                                 or what the node `cut` gives for them */
  const int *labels;          /* [n], each a class of the graph; trainer_logits reads none */
  const double *weights;      /* [n] factors of the samples' cross-entropies; NULL: each 1 */
} train_batch;

/* The node whose output is the earliest plane of the last one's size that all behind it depends on
 * alone; GRAPH_INPUT: only the picture is. What is before it may be computed once a photo. */
int trainer_cut(const cam_graph *graph);
/* Height and width of what the node `cut` gives for a picture of height x width, and its channels
 * into *channels. CAM_E_MODEL: the network does not take that size; CAM_E_NO_MEMORY. */
cam_code trainer_cut_shape(const cam_graph *graph, int cut, int height, int width, int out[2],
                           int *channels, cam_error *error);
/* What the node `cut` gives for each picture of the batch: planes[n], written. The graph's own
 * weights are used. Errors as of trainer_create. */
cam_code trainer_cut_planes(const cam_graph *graph, int cut, cam_team *team,
                            const train_batch *pictures, float *const *planes, cam_error *error);

/* Copies the tensors behind the cut; the graph is borrowed and never changed, the team borrowed.
 * CAM_E_PARAMETER: an option is out of range, or something before the cut other than its node is
 * read behind it; CAM_E_MODEL naming what cannot be trained: a network of one class;
 * CAM_E_NO_MEMORY. */
cam_code trainer_create(const cam_graph *graph, int cut, const train_options *options,
                        cam_team *team, trainer **out, cam_error *error);
void trainer_free(trainer *t); /* NULL is allowed */

/* One step: the gradient of the batch's loss, and the weights moved at this rate. The loss is that
 * before the step. CAM_E_PARAMETER: a label that is no class, or the loss or a gradient is not
 * finite, as where the rate is too large; CAM_E_MODEL: the network does not take that size;
 * CAM_E_NO_MEMORY. Whatever the error, the weights have not moved. */
cam_code trainer_step(trainer *t, const train_batch *batch, double rate, train_loss *loss,
                      cam_error *error);
/* Dropout's factors of a sample of the step after `steps` others: 0, or 1 / keep_prob with the
 * probability keep_prob; [n], n the inputs of the last fc. */
void trainer_dropout(const train_options *options, uint64_t steps, int sample, int n,
                     float *factors);
/* Without dropout: logits[n][classes]. Errors as of trainer_step. */
cam_code trainer_logits(trainer *t, const train_batch *batch, float *logits, cam_error *error);

/* The present values of a tensor of the graph, as it has them: those before the cut are the
 * graph's own. Valid until the next step or load. */
const float *trainer_tensor(const trainer *t, const cam_tensor *tensor);

/* Weights, momenta and the count of steps: a trainer of the same graph, cut and options that loads
 * what was saved goes on to the bit. trainer_load takes bytes that nobody vouches for:
 * CAM_E_MODEL: they are of another network or cut, cut off, or have numbers that are not finite;
 * the trainer is then as before. */
size_t trainer_state_bytes(const trainer *t);
void trainer_save(const trainer *t, void *out /* [trainer_state_bytes] */);
cam_code trainer_load(trainer *t, const void *state, size_t bytes, cam_error *error);

#endif
