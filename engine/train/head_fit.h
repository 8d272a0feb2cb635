/* head_fit.h - the last fc alone, fitted to convergence: softmax regression on what goes into it,
 * by L-BFGS in double. Convex, so the answer is one, whatever the way there. Flow: samples ->
 * [head_fit] -> weights of the fc. liblbfgs is named in head_fit.c alone. Thread: one caller. */
#ifndef HEAD_FIT_H
#define HEAD_FIT_H
#include "samples.h"
#include "train_end.h"

typedef struct head_task {
  samples *from; /* of SAMPLE_FEATURES */
  int n;
  const sample_view *views; /* [n] */
  const int *labels;        /* [n] */
  const double *shares;     /* [n] of the samples' cross-entropies; they add up to 1 */
  int classes, channels;
  double decay;       /* of sum(w^2) / 2; of the distance from start where that is given */
  const float *start; /* [classes,channels], NULL: 0 */
  const float *bias;  /* [classes] which stays, NULL: none */
  const train_end *end;
} head_task;

typedef struct head_result {
  float *weight; /* [classes,channels], for free() */
  double cross_entropy, weight_decay;
  double accuracy;
  int iterations;
  bool stopped; /* before it was at its minimum */
} head_result;

/* out->weight is the caller's whatever the code. Errors are those of samples_get; where its end
 * comes early, what there is by then is the result, CAM_E_DEADLINE: which is nothing. */
cam_code head_fit(const head_task *task, head_result *out, cam_error *error);
/* logits[n][classes] of a weight. */
cam_code head_logits(const head_task *task, const float *weight, float *logits, cam_error *error);

#endif
