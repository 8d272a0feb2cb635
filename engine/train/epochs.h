/* epochs.h - SGD with momentum over all photos, again and again: schedule, validation, the best so
 * far, patience, time, and going on from a checkpoint to the bit. Flow: samples, trainer ->
 * [epochs] -> weights. Thread: one caller; the team shares each step. */
#ifndef EPOCHS_H
#define EPOCHS_H
#include "samples.h"
#include "train_end.h"
#include "trainer.h"

typedef struct epochs_task {
  const cam_graph *graph; /* that is trained */
  trainer *trainer;
  samples *from;
  sample_kind kind;
  const cam_tune_sample *list;
  sample_part train, val;
  const cam_tune_options *options; /* every choice of the stage's made */
  const cam_tune_calls *calls;
  const char *run; /* 64 characters: checkpoint.h */
  double begin;    /* clock_seconds() */
  const train_end *end;
} epochs_task;

/* The tensors of a graph that a trainer moves. */
typedef struct moved_tensors {
  int n;
  const cam_tensor **tensors; /* [n] of the graph */
  size_t *begin;              /* [n + 1] of their values */
} moved_tensors;

typedef struct epochs_result {
  moved_tensors moved;
  float *values;     /* of the epoch that is kept, one tensor after another */
  float *val_logits; /* [val.n][classes] of it; NULL: no validation */
  int *val_labels;   /* [val.n] of its rows */
  int kept_epoch, epochs;
  double train_accuracy, val_accuracy, val_loss; /* of it; below 0: none */
  double start_accuracy;
  bool stopped, patience_ended;
} epochs_result;

/* out needs epochs_result_free whatever the code. Errors are those of samples_get, trainer_step and
 * checkpoint.h. */
cam_code epochs_run(const epochs_task *task, epochs_result *out, cam_error *error);
void epochs_result_free(epochs_result *result); /* all zero is allowed */

#endif
