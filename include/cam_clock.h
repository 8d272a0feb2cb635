/* cam_clock.h - the one clock that deadlines and durations are measured by: it never jumps
 * (clock_gettime(2)). Any thread. */
#ifndef CAM_CLOCK_H
#define CAM_CLOCK_H
#include <time.h>

/* Seconds of CLOCK_MONOTONIC. */
static inline double clock_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
