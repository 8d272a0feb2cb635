/* space.c - space.h: what is taken, and a list of who waits, under one mutex.
 * Flow: worker -> [space] -> worker. */
#include "space.h"
#include "cam_minmax.h"
#include <pthread.h>
#include <stdlib.h>

struct space {
  uint64_t all;              /* bytes: work_bytes */
  int most_large;            /* jobs at a time */
  pthread_mutex_t mutex;     /* guards all below */
  uint64_t taken;            /* bytes */
  uint64_t passing;          /* of them, by jobs that passed others */
  int large;                 /* jobs that are being served */
  space_claim *first, *last; /* set aside */
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
  return passing <= space->all && space->first->bytes <= space->all - passing;
}

static void begin(struct space *space, space_claim *claim, bool passes) {
  claim->passed = passes;
  space->taken += claim->bytes;
  space->large += claim->bytes >= SPACE_LARGE;
  if (passes)
    space->passing += claim->bytes;
}

static void set_aside(struct space *space, space_claim *claim) {
  claim->next = NULL;
  if (space->last)
    space->last->next = claim;
  else
    space->first = claim;
  space->last = claim;
}

static void unlink_next(struct space *space) {
  space->first = space->first->next;
  if (!space->first)
    space->last = NULL;
}

/* ---- */

bool space_take(struct space *space, space_claim *claim, uint64_t bytes, void *owner) {
  pthread_mutex_lock(&space->mutex);
  claim->bytes = bytes;
  claim->owner = owner;
  const bool passes = space->first,
             taken = has_room(space, bytes) && (!passes || may_pass(space, bytes));
  if (taken)
    begin(space, claim, passes);
  else
    set_aside(space, claim);
  pthread_mutex_unlock(&space->mutex);
  return taken;
}

void space_give(struct space *space, space_claim *claim) {
  if (!claim->bytes)
    return;
  pthread_mutex_lock(&space->mutex);
  space->taken -= claim->bytes;
  space->large -= claim->bytes >= SPACE_LARGE;
  if (claim->passed)
    space->passing -= claim->bytes;
  pthread_mutex_unlock(&space->mutex);
  claim->bytes = 0;
}

void *space_next(struct space *space) {
  void *owner = NULL;
  pthread_mutex_lock(&space->mutex);
  space_claim *claim = space->first;
  if (claim && has_room(space, claim->bytes)) {
    unlink_next(space);
    begin(space, claim, false);
    owner = claim->owner;
  }
  pthread_mutex_unlock(&space->mutex);
  return owner;
}
