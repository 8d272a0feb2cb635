/* progress.h - how far a long run is, as one line on a terminal that is written over and over.
 * Implemented in server/cli/progress.c. Thread: one at a time. */
#ifndef PROGRESS_H
#define PROGRESS_H
#include <stdbool.h>
#include <stdint.h>

struct progress {
  bool shown;    /* there is a terminal to show it on */
  int64_t total; /* photos to come; -1: not known */
  double begin, last;
  bool dirty; /* the line is there */
};

/* Standard error is where it is shown, if that is a terminal. */
void progress_begin(struct progress *progress, bool wanted);
/* done of total, failed of these; at most some times a second. */
void progress_step(struct progress *progress, int64_t done, int64_t failed);
/* Takes the line away, before others write. */
void progress_clear(struct progress *progress);

/* "1 h 02 min", "3 min 20 s", "12 s"; out is returned. */
const char *progress_duration(double seconds, char out[32]);

#endif
