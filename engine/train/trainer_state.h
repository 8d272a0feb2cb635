/* trainer_state.h - what a trainer must keep to go on to the bit, as bytes and back. Flow: trainer
 * -> [state] -> checkpoint. Thread: the trainer's. */
#ifndef TRAINER_STATE_H
#define TRAINER_STATE_H
#include "network/parameters.h"

typedef struct trainer_state {
  const parameters *set;
  int n;            /* arrays */
  float *arrays[3]; /* [n] of [set->count] each: values, rests, momenta */
  uint64_t *steps;
} trainer_state;

size_t state_bytes(const trainer_state *state);
void state_save(const trainer_state *state, void *out);
/* The bytes are nobody's: CAM_E_MODEL, and nothing is written, where they are not of the same
 * tensors and arrays, cut off, or have a number that is not finite. what: the network's name. */
cam_code state_load(const trainer_state *state, const char *what, const void *from, size_t bytes,
                    cam_error *error);

#endif
