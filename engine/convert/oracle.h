/* oracle.h - a model file's network in double, which what is converted is checked by: the self-test
 * and `--compare`. Flow: model file -> [oracle] -> logits. One thread at a time; it has a team. */
#ifndef ORACLE_H
#define ORACLE_H
#include "base/team.h"
#include "network/graph.h"

typedef struct oracle {
  cam_graph *graph;
  cam_team *team;
  float *picture; /* [graph->height,graph->width,3] as the network sees it, with room for floats;
                     the caller's to fill */
  double *logits; /* [graph->n_classes] after oracle_run */
} oracle;

/* Loads the file, which checks it. threads: of the team; 0: as many as there are processors. Needs
 * oracle_close whatever the code. CAM_E_MODEL, CAM_E_NO_MEMORY. */
cam_code oracle_open(const char *path, int threads, oracle *out, cam_error *error);
/* CAM_E_NO_MEMORY. */
cam_code oracle_run(oracle *o, cam_error *error);
void oracle_close(oracle *o);

#endif
