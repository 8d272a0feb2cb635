/* pickle_globals.h - the names a pickle may mention, and what the machine of unpickle.c makes of
 * them. */
#ifndef PICKLE_GLOBALS_H
#define PICKLE_GLOBALS_H
#include "pickle_value.h"

/* What a call of a global gives: arguments is a TUPLE. */
typedef cam_code pickle_call(arena *from, const pickle_value *arguments, pickle_value **out,
                             cam_error *error);
typedef struct pickle_global {
  const char *module, *name;
  pickle_call *call;   /* NULL: may be mentioned, not called */
  number_type storage; /* of a PyTorch storage class; else NUMBER_TYPES */
} pickle_global;

/* NULL: not allowed. */
const pickle_global *pickle_find_global(const uint8_t *module, size_t n_module, const uint8_t *name,
                                        size_t n_name);
/* What BUILD does: gives object its state. */
cam_code pickle_build(arena *from, pickle_value *object, const pickle_value *state,
                      cam_error *error);
/* What BINPERSID does: PyTorch's ('storage', class, key, location, count[, None]) -> STORAGE. */
cam_code pickle_persistent(arena *from, const pickle_value *id, pickle_value **out,
                           cam_error *error);

#endif
