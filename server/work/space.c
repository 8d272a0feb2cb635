/* space.c - space.h: what is taken, and a list of who waits, under one mutex. Flow: worker ->
 * [space]
 * -> worker. */
#include "space.h"
#include "cam_minmax.h"
#include "job.h"
#include <pthread.h>
#include <stdlib.h>

struct space {
  uint64_t all;             /* bytes: work_bytes */
  int most_large;           /* jobs at a time */
  pthread_mutex_t mutex;    /* guards all below */
  uint64_t taken;           /* bytes */
  uint64_t passing;         /* of them, by jobs that passed others */
  int large;                /* jobs that are being served */
  struct job *first, *last; /* set aside */
};

struct space *space_create(uint64_t bytes, int threads) {
  struct space *space = calloc(1, sizeof *space);
  if (!space)
    return NULL;
  space->all = bytes;
  space->most_large = max_int(1, threads - 1);
  pthread_mutex_init(&space->mutex, NULL);
  return space;
}

void space_free(struct space *space) {
  if (!space)
    return;
  pthread_mutex_destroy(&space->mutex);
  free(space);
}

cam_code space_allows(const struct space *space, uint64_t bytes, cam_error *error) {
  if (bytes <= space->all)
    return CAM_OK;
  return cam_fail(
      error, CAM_E_BUDGET,
      "explaining this may take %llu bytes of memory; allowed are %llu: fewer photos or "
      "labels, or size=fit, make it less",
      (unsigned long long)bytes, (unsigned long long)space->all);
}

/* ---- with the mutex held ---- */

static bool has_room(const struct space *space, uint64_t bytes) {
  if (bytes >= SPACE_LARGE && space->large == space->most_large)
    return false;
  return bytes <= space->all - space->taken;
}

/* Does the first that waits fit beside all that passes it? */
static bool may_pass(const struct space *space, uint64_t bytes) {
  const uint64_t passing = space->passing + bytes;
  return passing <= space->all && space->first->taken.bytes <= space->all - passing;
}

static void begin(struct space *space, struct job *job, bool passes) {
  job->taken.passed = passes;
  space->taken += job->taken.bytes;
  space->large += job->taken.bytes >= SPACE_LARGE;
  if (passes)
    space->passing += job->taken.bytes;
}

static void set_aside(struct space *space, struct job *job) {
  job->next = NULL;
  if (space->last)
    space->last->next = job;
  else
    space->first = job;
  space->last = job;
}

static void unlink_next(struct space *space) {
  struct job *job = space->first;
  space->first = job->next;
  if (!space->first)
    space->last = NULL;
  job->next = NULL;
}

/* ---- */

bool space_take(struct space *space, struct job *job, uint64_t bytes) {
  pthread_mutex_lock(&space->mutex);
  job->taken.bytes = bytes;
  const bool passes = space->first,
             taken = has_room(space, bytes) && (!passes || may_pass(space, bytes));
  if (taken)
    begin(space, job, passes);
  else
    set_aside(space, job);
  pthread_mutex_unlock(&space->mutex);
  return taken;
}

void space_give(struct space *space, struct job *job) {
  const uint64_t bytes = job->taken.bytes;
  if (!bytes)
    return;
  pthread_mutex_lock(&space->mutex);
  space->taken -= bytes;
  space->large -= bytes >= SPACE_LARGE;
  if (job->taken.passed)
    space->passing -= bytes;
  pthread_mutex_unlock(&space->mutex);
  job->taken = (space_taken){0};
}

struct job *space_next(struct space *space) {
  pthread_mutex_lock(&space->mutex);
  struct job *job = space->first;
  if (job && has_room(space, job->taken.bytes)) {
    unlink_next(space);
    begin(space, job, false);
  } else {
    job = NULL;
  }
  pthread_mutex_unlock(&space->mutex);
  return job;
}
