/* cam_json.h - the little JSON that camserve needs, over cJSON, which only engine/base/json.c
 * names. Reading: every getter checks the type and, on failure, fills the error with the member's
 * name, so that untrusted documents (request bodies, graphs in model files) are read without a
 * check beside each line. Writing: build a tree, print it once. Numbers that carry measurements
 * have 9 significant digits and are finite. Thread: a tree belongs to one thread at a time. */
#ifndef CAM_JSON_H
#define CAM_JSON_H
#include "cam_error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct json json;

/* Parses text[0..n). Nesting deeper than 64, more than 262,144 values, trailing bytes, what is not
 * UTF-8, NUL (as a byte or as \u0000) and duplicate members are refused. Returns a tree that the
 * caller frees, or NULL with *error filled (code is what the caller passes: CAM_E_BODY, CAM_E_MODEL
 * ...). */
json *json_parse(const char *text, size_t n, cam_code code, cam_error *error);
void json_free(json *tree); /* NULL is allowed; frees all below */

typedef enum json_type {
  JSON_NULL,
  JSON_BOOL,
  JSON_NUMBER,
  JSON_STRING,
  JSON_ARRAY,
  JSON_OBJECT
} json_type;
json_type json_type_of(const json *value);

/* Members and elements, in document order. All return NULL where there is none. The tree keeps
 * ownership. */
const json *json_member(const json *object, const char *name); /* NULL if absent or not an object */
const json *json_first(const json *container);
const json *json_next(const json *value);
const char *json_name(const json *member); /* "" for array elements */
int json_count(const json *container);     /* 0 for anything that is not a container */

/* Plain readings; the caller has checked the type (else "", 0, false). Strings live as long as the
 * tree. */
const char *json_text(const json *value);
double json_number(const json *value);
bool json_bool(const json *value);

/* Checked readings of a required member: CAM_OK, or `code` with a detail "WHERE: member NAME ...".
 */
cam_code json_get_text(const json *object, const char *name, const char **out, cam_code code,
                       const char *where, cam_error *error);
cam_code json_get_int(const json *object, const char *name, int64_t least, int64_t most,
                      int64_t *out, cam_code code, const char *where, cam_error *error);
cam_code json_get_number(const json *object, const char *name, double least, double most,
                         double *out, cam_code code, const char *where, cam_error *error);

/* Writing. A failed allocation makes the whole tree "broken": adding to it is a no-op and
 * json_print returns NULL, so one check at the end is enough. Any of these accept NULL parents. The
 * parent owns what is added. */
json *json_new_object(void);
json *json_new_array(void);

/* A new child of parent; name NULL: parent is an array. */
json *json_add_object(json *parent, const char *name);
json *json_add_array(json *parent, const char *name);
/* Escaped; copied. */
void json_add_text(json *parent, const char *name, const char *text);
void json_add_int(json *parent, const char *name, int64_t value);
void json_add_bool(json *parent, const char *name, bool value);
void json_add_null(json *parent, const char *name);
/* %.9g; a value that is not finite is written as 0. */
void json_add_number(json *parent, const char *name, double value);
/* %.*f: milliseconds and the like. */
void json_add_fixed(json *parent, const char *name, double value, int decimals);
/* A string: base64 of bytes[0..n), written when the tree is printed. BORROWED: they outlive
 * json_print. */
void json_add_base64(json *parent, const char *name, const uint8_t *bytes, size_t n);
/* Takes child over. */
void json_add_tree(json *parent, const char *name, json *child);

/* The text, without white space (compact) or indented, NUL-terminated, for
 * free(); *n (NULL allowed) is its length. */
char *json_print(const json *tree, bool compact, size_t *n);

#endif
