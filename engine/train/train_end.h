/* train_end.h - when training has to end before it is done: the caller's stop, or the time. Flow:
 * options -> [train_end] -> head_fit, epochs. Thread: any. */
#ifndef TRAIN_END_H
#define TRAIN_END_H
#include "cam_clock.h"
#include "cam_train.h"

typedef struct train_end {
  const cam_tune_calls *calls;
  double at; /* clock_seconds(); 0: any time */
} train_end;

static inline bool train_end_has_come(const train_end *end) {
  return end->calls->stop(end->calls->closure) || (end->at > 0 && clock_seconds() >= end->at);
}

#endif
