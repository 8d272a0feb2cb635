/* pickle_value.c - pickle_value.h. One thread at a time. */
#include "pickle_value.h"
#include "cam_minmax.h"
#include <string.h>

/* ---- making values ---- */

cam_code pickle_new(arena *from, pickle_type type, pickle_value **out, cam_error *error) {
  *out = arena_alloc(from, sizeof **out);
  if (!*out)
    return cam_fail(error, CAM_E_WEIGHTS,
                    "its values need more memory than is allowed for a file of this size");
  (*out)->type = type;
  return CAM_OK;
}

cam_code pickle_append(arena *from, pickle_value *list, pickle_value *item, cam_error *error) {
  const size_t n = list->as.list.n, room = max_size(2 * list->as.list.room, 4);
  if (n == list->as.list.room) {
    pickle_value **grown = arena_alloc(from, room * sizeof *grown);
    if (!grown)
      return cam_fail(error, CAM_E_WEIGHTS,
                      "its values need more memory than is allowed for a file of this size");
    if (n)
      memcpy(grown, list->as.list.items, n * sizeof *grown);
    list->as.list.items = grown;
    list->as.list.room = room;
  }
  list->as.list.items[list->as.list.n++] = item;
  if (list->nesting <= item->nesting)
    list->nesting = item->nesting + 1;
  return CAM_OK;
}

/* ---- looking at values ---- */

const char *pickle_type_name(const pickle_value *value) {
  static const char *const names[] = {
#define X(id, name) name,
      PICKLE_TYPES(X)
#undef X
  };
  return names[value->type];
}

static bool holds_text(const pickle_value *value) {
  return value->type == PICKLE_TEXT || value->type == PICKLE_BYTES;
}

bool pickle_text(arena *from, const pickle_value *value, const char **out) {
  if (!holds_text(value))
    return false;
  const size_t n = value->as.bytes.n;
  if (n > 4096 || memchr(value->as.bytes.data, 0, n))
    return false;
  char *text = arena_alloc(from, n + 1);
  if (text)
    memcpy(text, value->as.bytes.data, n);
  *out = text;
  return text != NULL;
}

bool pickle_text_is(const pickle_value *value, const char *text) {
  return holds_text(value) && value->as.bytes.n == strlen(text) &&
         !memcmp(value->as.bytes.data, text, value->as.bytes.n);
}

const pickle_value *pickle_find(const pickle_value *dict, const char *key) {
  if (dict->type != PICKLE_DICT)
    return NULL;
  for (size_t i = dict->as.list.n; i >= 2; i -= 2)
    if (pickle_text_is(dict->as.list.items[i - 2], key))
      return dict->as.list.items[i - 1];
  return NULL;
}
