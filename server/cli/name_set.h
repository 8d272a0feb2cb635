/* name_set.h - how often each name was put in: what stands in a file of lines already. Names are
 * kept as 128 bits of their SHA-256, so that a million takes 48 MB whatever its length. Implemented
 * in server/cli/name_set.c. Thread: one at a time. */
#ifndef NAME_SET_H
#define NAME_SET_H
#include <stdbool.h>
#include <stddef.h>

typedef struct name_set {
  struct name_set_entry *entries; /* [room], open addressing */
  size_t used, room;              /* room is a power of two, or 0 */
} name_set;                       /* all zero: empty */

/* Puts name[0..n) in once more. False: no memory, and nothing has changed. */
bool name_set_add(name_set *set, const char *name, size_t n);
/* Takes it out once. False: it is not there, or not any more. */
bool name_set_take(name_set *set, const char *name, size_t n);
void name_set_free(name_set *set); /* leaves it empty */

#endif
