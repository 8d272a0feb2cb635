/* keys.c - a file of keys -> an immutable set of their SHA-256 digests, exchanged as a whole.
 * Flow: admit -> [keys] <- service, at a signal.   Thread: any. Digests are compared, all of them,
 * in constant time: a comparison of the keys themselves that ends at the first difference would let
 * a caller guess a key byte by byte. The keys themselves are not kept in memory. */
#include "keys.h"
#include "base/file.h"
#include "base/log.h"
#include "cam_encoding.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DIGEST = 64 };
static const char name_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

struct key_set {
  int n;
  struct {
    char digest[DIGEST + 1], name[KEY_NAME_MAX + 1];
    int line;
  } list[KEYS_MOST];
};

struct keys {
  pthread_mutex_t mutex; /* guards the pointer, and the set while it is compared with */
  struct key_set *set;
  char path[];
};

/* ---- the file ---- */

struct place {
  const char *path; /* its end */
  int line;
  cam_error *error;
};

static cam_code wrong(const struct place *at, const char *what) {
  return cam_fail(at->error, CAM_E_PARAMETER, "keys: %s:%d: %s", at->path, at->line, what);
}

static cam_code add(struct key_set *set, const struct place *at, const char *name,
                    const char *key) {
  size_t n = strlen(key);
  if (name && (strlen(name) > KEY_NAME_MAX || name[strspn(name, name_letters)]))
    return wrong(at, "the first of two words is a name: 1 to 32 of A-Z a-z 0-9 . _ -");
  if (n < KEY_LEAST || n > KEY_MOST)
    return cam_fail(at->error, CAM_E_PARAMETER,
                    "keys: %s:%d: a key of %zu characters; allowed are %d to %d", at->path,
                    at->line, n, KEY_LEAST, KEY_MOST);
  if (set->n == KEYS_MOST)
    return cam_fail(at->error, CAM_E_PARAMETER, "keys: %s:%d: one key too many; allowed are %d",
                    at->path, at->line, KEYS_MOST);
  int i = set->n;
  cam_sha256_hex((const uint8_t *)key, n, set->list[i].digest);
  for (int other = 0; other < i; other++)
    if (!memcmp(set->list[other].digest, set->list[i].digest, DIGEST))
      return cam_fail(at->error, CAM_E_PARAMETER, "keys: %s:%d: the key of line %d once more",
                      at->path, at->line, set->list[other].line);
  if (name)
    strcpy(set->list[i].name, name);
  else
    snprintf(set->list[i].name, sizeof set->list[i].name, "line-%d", at->line);
  set->list[i].line = at->line;
  set->n++;
  return CAM_OK;
}

/* One line, which it changes: n bytes and a NUL. */
static cam_code take_line(struct key_set *set, const struct place *at, char *line, size_t n) {
  if (n && line[n - 1] == '\r')
    line[--n] = 0;
  char *words[3], *rest = NULL;
  if (line[strspn(line, " \t")] == '#')
    return CAM_OK;
  for (size_t i = 0; i < n; i++)
    if (line[i] != '\t' && (line[i] < ' ' || line[i] > '~'))
      return wrong(at, "a character that is not printable ASCII");
  int count = 0;
  for (char *word = strtok_r(line, " \t", &rest); word && count < 3;
       word = strtok_r(NULL, " \t", &rest))
    words[count++] = word;
  if (count > 2)
    return wrong(at, "more than two words; a line is a key, or a name and a key");
  if (!count)
    return CAM_OK;
  return add(set, at, count == 2 ? words[0] : NULL, words[count - 1]);
}

static cam_code read_set(const char *path, struct key_set **out, cam_error *error) {
  char *text = NULL;
  size_t n = 0, n_path = strlen(path);
  struct key_set *set = calloc(1, sizeof *set);
  struct place at = {.path = n_path > 60 ? path + n_path - 60 : path, .error = error};
  if (!set)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for keys");
  cam_code code = file_read("keys", path, KEYS_FILE_BYTES, &text, &n, error);
  for (size_t begin = 0, end; !code && begin < n; begin = end + 1) {
    const char *newline = memchr(text + begin, '\n', n - begin);
    end = newline ? (size_t)(newline - text) : n;
    text[end] = 0;
    at.line++;
    code = take_line(set, &at, text + begin, end - begin);
  }
  if (!code && !set->n)
    code = cam_fail(error, CAM_E_PARAMETER, "keys: %s: there is no key in it", at.path);
  file_forget(text, n);
  if (code)
    free(set);
  else
    *out = set;
  return code;
}

/* ---- the set in use ---- */

cam_code keys_open(const char *path, struct keys **out, cam_error *error) {
  *out = NULL;
  if (!*path)
    return CAM_OK;
  struct keys *keys = calloc(1, sizeof *keys + strlen(path) + 1);
  if (!keys)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for keys");
  strcpy(keys->path, path);
  cam_code code = read_set(path, &keys->set, error);
  if (code) {
    free(keys);
    return code;
  }
  pthread_mutex_init(&keys->mutex, NULL);
  log_event("keys", "in use: %d", keys->set->n);
  *out = keys;
  return CAM_OK;
}

void keys_free(struct keys *keys) {
  if (!keys)
    return;
  pthread_mutex_destroy(&keys->mutex);
  free(keys->set);
  free(keys);
}

bool keys_reload(struct keys *keys) {
  if (!keys)
    return true;
  cam_error error = {0};
  struct key_set *set = NULL;
  if (read_set(keys->path, &set, &error)) {
    log_event("keys", "%s; the keys stay as they were", error.detail);
    return false;
  }
  const int n = set->n;
  pthread_mutex_lock(&keys->mutex);
  struct key_set *old = keys->set;
  keys->set = set;
  pthread_mutex_unlock(&keys->mutex);
  free(old);
  log_event("keys", "read again; in use: %d", n);
  return true;
}

/* ---- the question ---- */

const char *keys_given(const char *authorization, const char *api_key) {
  static const char scheme[] = "Bearer ";
  /* Another scheme is for someone else, a proxy perhaps: RFC 9110 section 11.4. */
  if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1))
    return api_key;
  return authorization + sizeof scheme - 1 + strspn(authorization + sizeof scheme - 1, " ");
}

bool keys_find(struct keys *keys, const char *given, char name[KEY_NAME_MAX + 1]) {
  char digest[DIGEST + 1];
  int found = 0; /* its number, from 1 */
  cam_sha256_hex((const uint8_t *)given, strlen(given), digest);
  pthread_mutex_lock(&keys->mutex);
  const struct key_set *set = keys->set;
  for (int i = 0; i < set->n; i++)
    found |= -(int)cam_equal_constant_time(set->list[i].digest, digest, DIGEST) & (i + 1);
  if (found)
    strcpy(name, set->list[found - 1].name);
  pthread_mutex_unlock(&keys->mutex);
  return found;
}
