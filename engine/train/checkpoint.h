/* checkpoint.h - the state of a run in a file, whole or not there: parts of sizes that are known.
 * Flow: epochs -> [checkpoint] -> file -> epochs. The file is of this machine and this program:
 * numbers are as they lie in memory. Untrusted input: it is read into parts of the caller's sizes,
 * and taken only if a hash of all of it agrees. Thread: one. */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H
#include "cam_error.h"
#include <stddef.h>

typedef struct checkpoint_part {
  void *data;
  size_t bytes;
} checkpoint_part;

enum { CHECKPOINT_PARTS = 8 /* at most */ };

/* run: 64 characters that say of which run it is. CAM_E_IO. */
cam_code checkpoint_write(const char *path, const char *run, const checkpoint_part *parts, int n,
                          cam_error *error);
/* Fills the parts. CAM_E_NOT_FOUND: there is no file; CAM_E_IO; CAM_E_MODEL: it is none, of another
 * run, cut off or damaged: what is in the parts then is nothing. */
cam_code checkpoint_read(const char *path, const char *run, const checkpoint_part *parts, int n,
                         cam_error *error);

#endif
