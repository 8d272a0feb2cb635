/* progress.c - progress.h. */
#include "progress.h"
#include "cam_clock.h"
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const double least_pause = 0.2; /* seconds between two lines */

void progress_begin(struct progress *progress, bool wanted) {
  progress->shown = wanted && isatty(STDERR_FILENO);
  progress->total = -1;
  progress->begin = progress->last = clock_seconds();
  progress->dirty = false;
}

const char *progress_duration(double seconds, char out[32]) {
  const int64_t s = (int64_t)(seconds + 0.5);
  if (s >= 3600)
    snprintf(out, 32, "%" PRId64 " h %02" PRId64 " min", s / 3600, s % 3600 / 60);
  else if (s >= 60)
    snprintf(out, 32, "%" PRId64 " min %02" PRId64 " s", s / 60, s % 60);
  else
    snprintf(out, 32, "%" PRId64 " s", s);
  return out;
}

void progress_step(struct progress *progress, int64_t done, int64_t failed) {
  const double now = clock_seconds(), rate = (double)done / (now - progress->begin + 1e-9);
  char left[32];
  if (!progress->shown || now - progress->last < least_pause)
    return;
  progress->last = now;
  progress->dirty = true;
  fprintf(stderr, "\r%" PRId64, done);
  if (progress->total >= 0)
    fprintf(stderr, " of %" PRId64, progress->total);
  fprintf(stderr, " photos, %.1f a second", rate);
  if (progress->total >= done)
    fprintf(stderr, ", %s left", progress_duration((double)(progress->total - done) / rate, left));
  if (failed)
    fprintf(stderr, ", %" PRId64 " failed", failed);
  fprintf(stderr, "\033[K");
  fflush(stderr);
}

void progress_clear(struct progress *progress) {
  if (progress->dirty)
    fprintf(stderr, "\r\033[K");
  progress->dirty = false;
}
