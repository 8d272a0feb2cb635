/* each_sample.h - a tape run forward on each of some samples, alone, so that it does not matter
 * which others there are. Flow: trainer, cut -> [each sample] -> tape. Thread: one caller; its team
 * shares the samples. */
#ifndef EACH_SAMPLE_H
#define EACH_SAMPLE_H
#include "base/team.h"
#include "tape.h"

typedef struct each_sample {
  const tape *way;
  int n;
  const float *const *from; /* [n] of `in` values each */
  float *const *to;         /* [n] of `out` values each; NULL: to `flat` */
  float *flat;              /* [n,out] */
  size_t in, out;
  const float *values; /* of the tape's parameters; NULL: the graph's */
  float *arena;        /* one of the tape's arenas a thread */
} each_sample;

void each_sample_run(const each_sample *each, cam_team *team);

#endif
