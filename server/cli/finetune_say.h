/* finetune_say.h - what `camserve finetune` tells: what it found, how far it is, what came out.
 * Implemented in server/cli/finetune_say.c. Thread: one at a time. */
#ifndef FINETUNE_SAY_H
#define FINETUNE_SAY_H
#include "cam_train.h"
#include "photoset.h"
#include "progress.h"
#include <stdio.h>

/* DATA as it was found, before any photo is read. */
void say_found(FILE *out, const char *data, const photoset *set);
/* Photos that are left out, and why. */
void say_left_out(FILE *out, const photoset *set);
/* After the split: photos of each class, copies, classes that are small. False: no memory. */
bool say_parts(FILE *out, const photoset *set, bool balance);

/* An epoch for people, or as a line of JSON. */
void say_epoch(FILE *out, const cam_tune_epoch *epoch);
void say_epoch_json(FILE *out, const cam_tune_epoch *epoch);
/* "epoch 2 of 6: 12 of 40 steps, 1 min 10 s left" on the terminal; share: of all that is done. */
void say_steps(struct progress *progress, int epoch, int epochs, int done, int total, double share);
/* What is kept, and why. */
void say_kept(FILE *out, const cam_tune_figures *figures, const cam_tune_options *options);

#endif
