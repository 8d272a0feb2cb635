/* batches.h - which photos go into which step of an epoch. Flow: seed, epoch -> [batches] ->
 * epochs. Nothing is carried from one epoch to the next, so that a run that was interrupted goes on
 * as it would have. Thread: any; touches only its arguments. */
#ifndef BATCHES_H
#define BATCHES_H
#include "samples.h"

typedef struct batches {
  int n;              /* batches */
  int *begin;         /* [n + 1] of each in views */
  sample_view *views; /* each batch's photos have one shape */
} batches;

/* The photos of one part, and how they are drawn. */
typedef struct batch_plan {
  const samples *from;
  sample_kind kind;
  const cam_tune_sample *list;
  const int *members;  /* [n_members] rows of list */
  int n_members, size; /* size: of a batch, at most */
  int classes;
  bool shuffle, flip, balance;
  uint64_t seed;
} batch_plan;

/* Those of an epoch, from 1; without shuffle in the order of members. balance: classes with fewer
 * photos have theirs drawn again, until all have as many. out needs batches_free whatever the code.
 * CAM_E_NO_MEMORY. */
cam_code batches_make(const batch_plan *plan, int epoch, batches *out, cam_error *error);
void batches_free(batches *b); /* all zero is allowed */

#endif
