/* name_set.c - name_set.h. A table of keys with linear probing; it doubles before two thirds of it
 * are used. An entry stays when its last name is taken out, with a count of 0. */
#include "name_set.h"
#include "cam_encoding.h"
#include <stdint.h>
#include <stdlib.h>

enum { LEAST_ROOM = 1024 };

typedef struct name_key {
  uint64_t high, low;
} name_key;

struct name_set_entry {
  name_key key; /* all zero: free; no name has that one */
  uint64_t count;
};

static name_key key_of(const char *name, size_t n) {
  char hex[65];
  name_key key;
  cam_sha256_hex((const uint8_t *)name, n, hex);
  hex[32] = '\0';
  key.low = strtoull(hex + 16, NULL, 16) | 1;
  hex[16] = '\0';
  key.high = strtoull(hex, NULL, 16);
  return key;
}

/* Where the key is, or the free place where it belongs. The table is never full. */
static struct name_set_entry *find_entry(const name_set *set, name_key key) {
  size_t at = key.high & (set->room - 1);
  while (set->entries[at].key.low &&
         (set->entries[at].key.low != key.low || set->entries[at].key.high != key.high))
    at = (at + 1) & (set->room - 1);
  return &set->entries[at];
}

static bool make_larger(name_set *set) {
  name_set larger = {.used = set->used, .room = 2 * set->room};
  if (!set->room)
    larger.room = LEAST_ROOM;
  larger.entries = calloc(larger.room, sizeof *larger.entries);
  if (!larger.entries)
    return false;
  for (size_t i = 0; i < set->room; i++)
    if (set->entries[i].key.low)
      *find_entry(&larger, set->entries[i].key) = set->entries[i];
  free(set->entries);
  *set = larger;
  return true;
}

bool name_set_add(name_set *set, const char *name, size_t n) {
  if (3 * (set->used + 1) > 2 * set->room && !make_larger(set))
    return false;
  const name_key key = key_of(name, n);
  struct name_set_entry *entry = find_entry(set, key);
  if (!entry->key.low) {
    entry->key = key;
    set->used++;
  }
  entry->count++;
  return true;
}

bool name_set_take(name_set *set, const char *name, size_t n) {
  if (!set->room)
    return false;
  struct name_set_entry *entry = find_entry(set, key_of(name, n));
  if (!entry->count)
    return false;
  entry->count--;
  return true;
}

void name_set_free(name_set *set) {
  free(set->entries);
  *set = (name_set){0};
}
