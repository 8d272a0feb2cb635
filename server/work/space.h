/* space.h - the memory in which photos are decoded and rendered, shared out before it is used:
 * work_bytes for all together. Implemented in server/work/space.c. Thread: workers.
 *
 * A job takes all that it may need before it decodes anything, and never waits while it holds some.
 * Who finds no room is set aside here, not in a thread's hands, first come, first served; its
 * deadline is looked at when it is handed on. Large
 * jobs are served by at most all threads but one, so that those are not all that is served.
 *
 * A job may overtake those that wait if the first of them loses nothing by it: all that overtake
 * must together leave the room that the first needs. So small ones do not wait behind large ones,
 * and large ones get their turn.
 *
 * Invariant: while a job is set aside another one is being served, whose end gives out the next. */
#ifndef SPACE_H
#define SPACE_H
#include "cam_error.h"
#include <stdbool.h>
#include <stdint.h>

enum { SPACE_LARGE = 128 << 20 }; /* bytes from which on a job is large */

struct space;

/* What a job has taken, or waits for. */
typedef struct space_claim {
  uint64_t bytes; /* 0: nothing */
  bool passed;    /* others waited when it began */
  void *owner;    /* the job; space_next is for who knows its kind */
  struct space_claim *next;
} space_claim;

/* bytes: in all; threads: that serve jobs. NULL: no memory. */
struct space *space_create(uint64_t bytes, int threads);
void space_free(struct space *space); /* no job is set aside; NULL is allowed */

/* CAM_E_BUDGET: more than there is in all; says both figures. */
cam_code space_allows(const struct space *space, uint64_t bytes, cam_error *error);
/* For a job that is allowed and has taken nothing; bytes is not 0. True: it has them, for
 * space_give. False: it is set aside, and not the caller's any more. */
bool space_take(struct space *space, space_claim *claim, uint64_t bytes, void *owner);
/* Takes back what the claim has, if anything. */
void space_give(struct space *space, space_claim *claim);
/* After space_give: the owner of the claim that was set aside first, which has now taken its own;
 * it is the caller's to hand on. NULL: there is none, or still no room for it. Call it until then.
 */
void *space_next(struct space *space);

#endif
