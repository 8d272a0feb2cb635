/* team.h - the threads of one worker: a parallel loop, nothing more. Implemented in
 * engine/base/team.c. */
#ifndef TEAM_H
#define TEAM_H
#include "cam_error.h"

typedef struct cam_team cam_team;
/* A piece of work. index: 0 to n-1; thread: 0 to threads-1, for per-thread scratch. Must not fail
 * and must not call team_for. */
typedef void team_work(void *closure, int index, int thread);

/* threads: 1 to CAM_MAX_TEAM, the caller of team_for included. */
cam_code team_create(int threads, cam_team **out, cam_error *error);
void team_free(cam_team *team); /* joins the threads; NULL is allowed */
int team_threads(const cam_team *team);

/* Calls work(closure, i, thread) once for each i in [0,n), in any order, on all threads, and
 * returns when all are done. What the caller wrote before is seen by the work, what the work wrote
 * is seen by the caller after. One caller at a time. */
void team_for(cam_team *team, int n, team_work *work, void *closure);

#endif
