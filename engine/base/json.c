/* json.c - cam_json.h over cJSON, the one file that names it. A `json` is a cJSON item under
 * another name. */
#include "cam_encoding.h"
#include "cam_json.h"
#include "cam_minmax.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAX_DEPTH = 64,
  MAX_VALUES = 1 << 18,
  BROKEN = 1 << 16 /* beside cJSON's own flags in a type */
};
#define ITEM(value) ((cJSON *)(uintptr_t)(value))
#define JSON(item) ((json *)(item))

/* ---- reading ---- */

/* Length of the UTF-8 character that starts at text, of at most n bytes; 0 if it is none (RFC 3629:
 * shortest form, no surrogates). */
static size_t utf8_length(const char *text, size_t n) {
  const unsigned char *c = (const unsigned char *)text;
  if (c[0] < 0x80)
    return 1;
  size_t length = 0;
  if (c[0] >= 0xc2 && c[0] < 0xe0)
    length = 2;
  else if (c[0] >= 0xe0 && c[0] < 0xf0)
    length = 3;
  else if (c[0] >= 0xf0 && c[0] < 0xf5)
    length = 4;
  if (!length || length > n)
    return 0;
  for (size_t i = 1; i < length; i++)
    if (c[i] >> 6 != 2)
      return 0;
  const int top = c[0] << 8 | c[1];
  const bool outside = (top >= 0xe080 && top < 0xe0a0) || (top >= 0xeda0 && top < 0xedc0) ||
                       (top >= 0xf080 && top < 0xf090) || top >= 0xf490;
  return outside ? 0 : length;
}

/* How many of the bytes need no second look inside a text: nearly all of a photo's base64. */
static size_t plain_run(const char *text, size_t n) {
  size_t i = 0;
  while (i < n && (unsigned char)text[i] - 1u < 0x7f && text[i] != '"' && text[i] != '\\')
    i++;
  return i;
}

/* What cJSON does not look at, before it sees the text: UTF-8, NUL (its strings would end there),
 * depth (it recurses), number of values (it takes 64 bytes for each, in an array of digits 32 times
 * what was sent). */
static cam_code scan(const char *text, size_t n, cam_code code, cam_error *error) {
  int depth = 0, values = 1;
  bool quoted = false;
  for (size_t i = 0, length; i < n; i += length) {
    if (quoted)
      i += plain_run(text + i, n - i);
    if (i == n)
      break;
    const char c = text[i];
    length = utf8_length(text + i, n - i);
    if (!length)
      return cam_fail(error, code, "JSON: not UTF-8 at byte %zu of %zu", i, n);
    if (!c)
      return cam_fail(error, code, "JSON: a byte 0 at byte %zu of %zu", i, n);
    if (c == '"')
      quoted = !quoted;
    else if (quoted && c == '\\') {
      if (n - i >= 6 && !memcmp(text + i + 1, "u0000", 5))
        return cam_fail(error, code, "JSON: a text holds the character NUL, at byte %zu of %zu", i,
                        n);
      if (i + 1 < n && text[i + 1] && (unsigned char)text[i + 1] < 0x80)
        length = 2;
    } else if (!quoted && (c == '{' || c == '[')) {
      if (++depth > MAX_DEPTH)
        return cam_fail(error, code, "JSON: nested deeper than %d", MAX_DEPTH);
      values++;
    } else if (!quoted && (c == '}' || c == ']'))
      depth--;
    else if (!quoted && c == ',' && ++values > MAX_VALUES)
      return cam_fail(error, code, "JSON: more than %d values", MAX_VALUES);
  }
  return CAM_OK;
}

static int compare_member_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The name of a member that stands twice in its object, anywhere below item; NULL if there is none.
 * *broken: no memory. */
static const char *duplicate_member(const cJSON *item, bool *broken) {
  const char *found = NULL;
  int n = 0;
  for (const cJSON *child = item->child; child && !found; child = child->next, n++)
    found = duplicate_member(child, broken);
  if (found || n < 2 || !cJSON_IsObject(item))
    return found;
  char **names = malloc((size_t)n * sizeof *names);
  if (!names) {
    *broken = true;
    return NULL;
  }
  n = 0;
  for (const cJSON *child = item->child; child; child = child->next)
    names[n++] = child->string;
  qsort(names, (size_t)n, sizeof *names, compare_member_names);
  for (int i = 1; i < n && !found; i++)
    if (!strcmp(names[i - 1], names[i]))
      found = names[i];
  free(names);
  return found;
}

json *json_parse(const char *text, size_t n, cam_code code, cam_error *error) {
  if (scan(text, n, code, error))
    return NULL;
  const char *end = NULL;
  errno = 0;
  cJSON *tree = cJSON_ParseWithLengthOpts(text, n, &end, false);
  if (!tree && errno == ENOMEM) { /* malloc(3) says so, cJSON does not */
    cam_fail(error, CAM_E_NO_MEMORY, "JSON: no memory to read %zu bytes", n);
    return NULL;
  }
  if (!tree) {
    cam_fail(error, code, "JSON: not valid near byte %zu of %zu",
             end ? (size_t)(end - text) : (size_t)0, n);
    return NULL;
  }
  while (end < text + n && strchr(" \t\r\n", *end))
    end++;
  bool broken = false;
  const char *twice = duplicate_member(tree, &broken);
  if (end != text + n)
    cam_fail(error, code, "JSON: bytes after the end of the document, at byte %zu of %zu",
             (size_t)(end - text), n);
  else if (twice)
    cam_fail(error, code, "JSON: member \"%.60s\" is given twice", twice);
  else if (broken)
    cam_fail(error, CAM_E_NO_MEMORY, "JSON: no memory to check %zu bytes", n);
  else
    return JSON(tree);
  cJSON_Delete(tree);
  return NULL;
}

void json_free(json *tree) { cJSON_Delete(ITEM(tree)); }

json_type json_type_of(const json *value) {
  const cJSON *item = ITEM(value);
  if (cJSON_IsBool(item))
    return JSON_BOOL;
  if (cJSON_IsNumber(item))
    return JSON_NUMBER;
  if (cJSON_IsString(item))
    return JSON_STRING;
  if (cJSON_IsArray(item))
    return JSON_ARRAY;
  if (cJSON_IsObject(item))
    return JSON_OBJECT;
  return JSON_NULL;
}

const json *json_member(const json *object, const char *name) {
  if (!cJSON_IsObject(ITEM(object)))
    return NULL;
  return JSON(cJSON_GetObjectItemCaseSensitive(ITEM(object), name));
}
const json *json_first(const json *container) {
  return container ? JSON(ITEM(container)->child) : NULL;
}
const json *json_next(const json *value) { return value ? JSON(ITEM(value)->next) : NULL; }
const char *json_name(const json *member) {
  return member && ITEM(member)->string ? ITEM(member)->string : "";
}
int json_count(const json *container) { return cJSON_GetArraySize(ITEM(container)); }
const char *json_text(const json *value) {
  return cJSON_IsString(ITEM(value)) ? ITEM(value)->valuestring : "";
}
double json_number(const json *value) {
  return cJSON_IsNumber(ITEM(value)) ? ITEM(value)->valuedouble : 0;
}
bool json_bool(const json *value) { return cJSON_IsTrue(ITEM(value)); }

cam_code json_get_text(const json *object, const char *name, const char **out, cam_code code,
                       const char *where, cam_error *error) {
  const json *value = json_member(object, name);
  if (!value)
    return cam_fail(error, code, "%s: member \"%s\" is missing", where, name);
  if (json_type_of(value) != JSON_STRING)
    return cam_fail(error, code, "%s: member \"%s\" is not a string", where, name);
  *out = json_text(value);
  return CAM_OK;
}

cam_code json_get_number(const json *object, const char *name, double least, double most,
                         double *out, cam_code code, const char *where, cam_error *error) {
  const json *value = json_member(object, name);
  if (!value)
    return cam_fail(error, code, "%s: member \"%s\" is missing", where, name);
  double number = json_number(value);
  if (json_type_of(value) != JSON_NUMBER)
    return cam_fail(error, code, "%s: member \"%s\" is not a number", where, name);
  if (!isfinite(number) || !(number >= least && number <= most))
    return cam_fail(error, code, "%s: member \"%s\" is %g; allowed are %g to %g", where, name,
                    number, least, most);
  *out = number;
  return CAM_OK;
}

cam_code json_get_int(const json *object, const char *name, int64_t least, int64_t most,
                      int64_t *out, cam_code code, const char *where, cam_error *error) {
  double number = 0;
  cam_code result = json_get_number(object, name, (double)least, (double)most, &number, code, where,
                                    error);
  if (result)
    return result;
  if (number == 0x1p63)
    return cam_fail(error, code, "%s: member \"%s\" is %g; allowed are %g to %g", where, name,
                    number, (double)least, (double)most);
  if (number != floor(number))
    return cam_fail(error, code, "%s: member \"%s\" is %g, not a whole number", where, name,
                    number);
  *out = (int64_t)number;
  return CAM_OK;
}

/* ---- writing: an addition that fails leaves a mark on its parent, and a tree with a mark is not
 * printed ---- */

json *json_new_object(void) { return JSON(cJSON_CreateObject()); }
json *json_new_array(void) { return JSON(cJSON_CreateArray()); }

/* Adds item (NULL: it could not be made) under parent; on failure the parent is marked broken, and
 * what is printed from it is NULL. */
static json *add_item(json *parent, const char *name, cJSON *item) {
  cJSON *to = ITEM(parent);
  bool added = false;
  if (to && item && name)
    added = cJSON_AddItemToObject(to, name, item);
  else if (to && item)
    added = cJSON_AddItemToArray(to, item);
  if (added)
    return JSON(item);
  cJSON_Delete(item);
  if (to)
    to->type |= BROKEN;
  return NULL;
}

static bool is_broken(const cJSON *item) {
  if (item->type & BROKEN)
    return true;
  for (const cJSON *child = item->child; child; child = child->next)
    if (is_broken(child))
      return true;
  return false;
}

json *json_add_object(json *parent, const char *name) {
  if (!parent)
    return NULL;
  return add_item(parent, name, cJSON_CreateObject());
}
json *json_add_array(json *parent, const char *name) {
  if (!parent)
    return NULL;
  return add_item(parent, name, cJSON_CreateArray());
}
void json_add_text(json *parent, const char *name, const char *text) {
  if (parent)
    add_item(parent, name, cJSON_CreateString(text));
}
void json_add_bool(json *parent, const char *name, bool value) {
  if (parent)
    add_item(parent, name, cJSON_CreateBool(value));
}
void json_add_null(json *parent, const char *name) {
  if (parent)
    add_item(parent, name, cJSON_CreateNull());
}
void json_add_tree(json *parent, const char *name, json *child) {
  if (parent)
    add_item(parent, name, ITEM(child));
  else
    json_free(child);
}

static void add_formatted(json *parent, const char *name, const char *format, int precision,
                          double value) {
  char text[400];
  if (!parent)
    return;
  if (!isfinite(value))
    value = 0;
  snprintf(text, sizeof text, format, precision, value);
  add_item(parent, name, cJSON_CreateRaw(text));
}
void json_add_number(json *parent, const char *name, double value) {
  add_formatted(parent, name, "%.*g", 9, value);
}
void json_add_fixed(json *parent, const char *name, double value, int decimals) {
  add_formatted(parent, name, "%.*f", decimals, value);
}
/* Not as cJSON's double, whose last exact whole number is 2^53. */
void json_add_int(json *parent, const char *name, int64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%" PRId64, value);
  if (parent)
    add_item(parent, name, cJSON_CreateRaw(text));
}

/* ---- base64: megabytes where all else is bytes ----
 * To cJSON it is a text of one character, MARK, which no JSON holds: it is escaped in strings. The
 * tree is printed with the marks, which costs little, and then once more with base64 in their
 * place, in memory of just the size, from the bytes themselves. */
enum { MARK = 1 };

/* What such an item's text is: to cJSON, its first two characters; it frees it as any text. */
typedef struct marked {
  char text[2];
  const uint8_t *bytes;
  size_t n;
} marked;

void json_add_base64(json *parent, const char *name, const uint8_t *bytes, size_t n) {
  if (!parent)
    return;
  cJSON *item = cJSON_CreateNull();
  marked *mark = malloc(sizeof *mark);
  if (item && mark) {
    *mark = (marked){{MARK, 0}, bytes, n};
    item->type = cJSON_Raw;
    item->valuestring = (char *)mark;
    add_item(parent, name, item);
    return;
  }
  free(mark);
  cJSON_Delete(item);
  add_item(parent, name, NULL);
}

/* The item's bytes; NULL: it is another one. */
static const marked *marked_of(const cJSON *item) {
  if (!cJSON_IsRaw(item) || item->valuestring[0] != MARK)
    return NULL;
  return (const marked *)(const void *)item->valuestring;
}

static size_t quoted_length(size_t n) { return cam_base64_length(n) + 2; }

/* Characters that the marks below a tree stand for. */
static size_t marked_length(const cJSON *tree) {
  size_t sum = 0;
  for (const cJSON *item = tree->child; item; item = item->next)
    if (marked_of(item))
      sum += quoted_length(marked_of(item)->n);
    else
      sum += marked_length(item);
  return sum;
}

/* A text with marks, being copied to where they are written out. */
typedef struct copying {
  const char *from; /* what is left of it */
  char *to;
} copying;

static void copy_up_to(copying *c, const char *end) {
  memcpy(c->to, c->from, (size_t)(end - c->from));
  c->to += end - c->from;
  c->from = end;
}

static void write_out(copying *c, const marked *m) {
  copy_up_to(c, strchr(c->from, MARK));
  c->from++;
  *c->to++ = '"';
  cam_base64_encode(m->bytes, m->n, c->to);
  c->to += cam_base64_length(m->n);
  *c->to++ = '"';
}

/* The tree's marks, in the order in which it is printed. */
static void write_marks(copying *c, const cJSON *tree) {
  for (const cJSON *item = tree->child; item; item = item->next)
    if (marked_of(item))
      write_out(c, marked_of(item));
    else
      write_marks(c, item);
}

/* The text with base64 for its marks, for free(), its length in *n; frees the text. NULL: no
 * memory.
 */
static char *with_base64(const cJSON *tree, char *text, size_t *n) {
  const size_t more = marked_length(tree);
  if (!more)
    return text;
  const char *end = text + *n;
  char *whole = malloc(*n + more + 1);
  if (whole) {
    copying c = {text, whole};
    write_marks(&c, tree);
    copy_up_to(&c, end);
    *c.to = 0;
    *n = (size_t)(c.to - whole);
  }
  free(text);
  return whole;
}

/* Characters that a tree's text is likely to have. */
static size_t likely_length(const cJSON *tree) {
  enum { OF_AN_ITEM = 24 };
  size_t sum = 0;
  for (const cJSON *item = tree->child; item; item = item->next)
    sum += OF_AN_ITEM + likely_length(item);
  return sum;
}

/* Room for it: each time cJSON finds too little it copies all that is there. */
static int likely_room(const cJSON *tree) {
  return (int)min_size(1024 + likely_length(tree), INT_MAX);
}

char *json_print(const json *tree, bool compact, size_t *n) {
  if (!tree || is_broken(ITEM(tree)))
    return NULL;
  char *text;
  if (compact)
    text = cJSON_PrintBuffered(ITEM(tree), likely_room(ITEM(tree)), false);
  else
    text = cJSON_Print(ITEM(tree));
  if (!text)
    return NULL;
  size_t length = strlen(text);
  text = with_base64(ITEM(tree), text, &length);
  if (n)
    *n = length;
  return text;
}
