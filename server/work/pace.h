/* pace.h - how fast requests are served, and when a refused caller finds room. Implemented in
 * server/work/pace.c. Any thread. */
#ifndef PACE_H
#define PACE_H

struct pace {
  _Atomic double seconds; /* from the end of one request to the next's while all workers are busy,
                             smoothed; 0: none has ended yet */
};

/* A worker took `seconds` for one request, while `busy` (1 or more) were on one each. Two workers
 * at once may lose one of two notes: it is an estimate. */
void pace_note(struct pace *pace, double seconds, int busy);
/* Whole seconds until the last of `waiting` requests has been taken, 1 to 60: what Retry-After
 * says. */
int pace_retry_after(const struct pace *pace, int waiting);

#endif
