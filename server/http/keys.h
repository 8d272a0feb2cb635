/* keys.h - who may call: the keys of a file, and the question whether one of them was given.
 * Implemented in server/http/keys.c.
 *
 * The file: a key a line, or a name and a key: "KEY" or "NAME KEY". Blank lines and lines that
 * begin with # are passed over. A key is 16 to 256 printable ASCII characters without a blank; a
 * name 1 to 32 of A-Z a-z 0-9 . _ -, for the log. A key without a name is called line-7 there. Two
 * keys may have one name (an old and a new one of the same caller); no key may be there twice. */
#ifndef KEYS_H
#define KEYS_H
#include "cam_error.h"
#include <stdbool.h>

enum {
  KEYS_MOST = 1000,
  KEYS_FILE_BYTES = 512 << 10,
  KEY_LEAST = 16,
  KEY_MOST = 256,
  KEY_NAME_MAX = 32
};
struct keys;

/* CAM_OK: *out is the caller's, for keys_free after the last thread that asks; NULL where path is
 * empty: no key is asked for. Else the error names the file and, where it is not one of reading it,
 * the line. */
cam_code keys_open(const char *path, struct keys **out, cam_error *error);
void keys_free(struct keys *keys); /* NULL is allowed */

/* Reads the file once more and exchanges all keys at once: a request is checked against the old
 * keys or against the new ones. A file that is not usable changes nothing. Both are logged. True if
 * the file's keys are now the ones in use; also for NULL. Any thread. */
bool keys_reload(struct keys *keys);

/* The key in "Authorization: Bearer KEY", else the one in X-Api-Key; NULL: neither. Both may be
 * NULL. */
const char *keys_given(const char *authorization, const char *api_key);
/* True if this is one of the keys, and its name. Takes a time that depends neither on which one it
 * is nor on how much of one was guessed. Any thread. */
bool keys_find(struct keys *keys, const char *given, char name[KEY_NAME_MAX + 1]);

#endif
