/* pace.c - pace.h. Flow: worker -> [pace] -> Retry-After.   Thread: any. */
#include "pace.h"
#include <math.h>
#include <stdatomic.h>

enum { LEAST_S = 1, MOST_S = 60, SMOOTHING = 8 };

void pace_note(struct pace *pace, double seconds, int busy) {
  const double each = seconds / fmax(busy, 1); /* n at a time end n times as often */
  const double old = atomic_load(&pace->seconds);
  atomic_store(&pace->seconds, old > 0 ? old + (each - old) / SMOOTHING : each);
}

int pace_retry_after(const struct pace *pace, int waiting) {
  const double least_above = 1e-9; /* a product of two that is whole stays whole */
  const double seconds = ceil((waiting + 1) * atomic_load(&pace->seconds) - least_above);
  return (int)fmin(fmax(seconds, LEAST_S), MOST_S);
}
