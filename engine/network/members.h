/* members.h - members of the JSON of a model file, checked. Flow: model file -> [members] -> node,
 * graph. Thread: loading. Untrusted input: every error is CAM_E_MODEL and names the object and the
 * member. */
#ifndef MEMBERS_H
#define MEMBERS_H
#include "cam_json.h"

/* An object, and what errors call it. */
typedef struct members {
  const json *object;
  const char *where;
  cam_error *error;
} members;

/* Text and whole number that must be there. */
cam_code member_text(const members *m, const char *name, const char **out);
cam_code member_int(const members *m, const char *name, int least, int most, int *out);
/* A number from least to most. */
cam_code member_float(const members *m, const char *name, double least, double most, double *out);
/* true or false. */
cam_code member_flag(const members *m, const char *name, bool *out);
/* An array of n whole numbers from least to most; of 3 numbers from -1e6 to 1e6. */
cam_code member_ints(const members *m, const char *name, int n, int least, int most, int *out);
cam_code member_floats(const members *m, const char *name, float out[3]);
/* One of `count` words; *out is its index. */
cam_code member_word(const members *m, const char *name, const char *const *words, int count,
                     int *out);

#endif
