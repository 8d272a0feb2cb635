/* each_sample.c - each_sample.h. */
#include "each_sample.h"
#include <string.h>

static void run_one(void *closure, int sample, int thread) {
  const each_sample *each = closure;
  float *arena = each->arena + (size_t)thread * tape_floats(each->way), *to;
  memcpy(tape_input(each->way, arena), each->from[sample], each->in * sizeof *arena);
  tape_forward(each->way, arena, 1, each->values, NULL);
  if (each->to)
    to = each->to[sample];
  else
    to = each->flat + (size_t)sample * each->out;
  memcpy(to, tape_output(each->way, arena), each->out * sizeof *to);
}

void each_sample_run(const each_sample *each, cam_team *team) {
  team_for(team, each->n, run_one, (void *)(uintptr_t)each);
}
