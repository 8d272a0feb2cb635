/* request.c - the three forms of a body, a table. Flow: http -> queue -> [request] -> engine.
 * It runs on a worker, so that no HTTP thread ever waits for a large body to be parsed. */
#include "request.h"
#include "cam_json.h"
#include "cam_minmax.h"
#include "json_params.h"
#include "multipart.h"
#include <string.h>
#include <strings.h>

typedef struct reading {
  const char *content_type; /* "" if there is none */
  size_t n_type;            /* characters of it without its parameters */
  const uint8_t *body;
  size_t n;
  request_params *params;
  request_photos *photos;
  cam_error *error;
  bool typed; /* the last "image" of a form is text that was typed */
} reading;

enum { TYPED_NAME_MAX = 256 };

static bool is_type(const reading *r, const char *type) {
  return r->n_type == strlen(type) && !strncasecmp(r->content_type, type, r->n_type);
}

/* ---- a photo, whatever its Content-Type; and what is told from one ---- */

static bool begins_with(const reading *r, const char *text) {
  return r->n >= strlen(text) && !memcmp(r->body, text, strlen(text));
}

static const char byte_order_mark[] = "\xef\xbb\xbf"; /* UTF-8's */

static bool looks_like_json(const reading *r) {
  size_t at = 0;
  if (begins_with(r, byte_order_mark))
    at = strlen(byte_order_mark);
  while (at < r->n && strchr(" \t\r\n", r->body[at]) && r->body[at])
    at++;
  return at < r->n && (r->body[at] == '{' || r->body[at] == '[');
}

static bool looks_like_multipart(const reading *r) {
  static const char first[] = "form-data; name=";
  return begins_with(r, "--") && memmem(r->body, min_size(r->n, 1024), first, strlen(first));
}

/* "image=...": the body begins with printable text only. */
static bool looks_like_fields(const reading *r) {
  if (!is_type(r, "application/x-www-form-urlencoded"))
    return false;
  const size_t n = min_size(r->n, 64);
  for (size_t i = 0; i < n; i++)
    if (r->body[i] < ' ' || r->body[i] > '~')
      return false;
  return memchr(r->body, '=', n);
}

static bool looks_like_data_uri(const reading *r) {
  return r->n >= 5 && !strncasecmp((const char *)r->body, "data:", 5);
}

/* The first bytes of a JPEG, PNG and WebP file, encoded. */
static bool looks_like_base64(const reading *r) {
  return begins_with(r, "/9j/") || begins_with(r, "iVBORw0KGgo") || begins_with(r, "UklGR");
}

/* JPEG, PNG and WebP have zeros from the first bytes on. */
static bool looks_like_stripped_photo(const reading *r) {
  return (begins_with(r, "\xff\xd8") || begins_with(r, "\x89PNG") || begins_with(r, "RIFF")) &&
         is_type(r, "application/x-www-form-urlencoded") && !memchr(r->body, 0, r->n);
}

/* Bodies that are no photo and not what their Content-Type says: what they are, what is wanted. */
static const struct {
  bool (*looks)(const reading *);
  const char *what, *wanted;
} lookalikes[] = {
    {looks_like_json, "JSON", "application/json"},
    {looks_like_multipart, "a multipart form", "multipart/form-data and its boundary"},
    {looks_like_fields, "form fields without a file",
     "multipart/form-data (curl -F image=@photo.jpg)"},
    {looks_like_data_uri, "a data: URI", "application/json with {\"image\": \"data:...\"}"},
    {looks_like_base64, "base64", "application/json with {\"image\": \"<base64>\"}"},
    {looks_like_stripped_photo, "a photo without its zeros, as curl -d sends it",
     "curl --data-binary @photo.jpg"},
};

static cam_code read_photo(reading *r) {
  for (size_t i = 0; i < sizeof lookalikes / sizeof *lookalikes; i++)
    if (lookalikes[i].looks(r))
      return cam_fail(
          r->error, CAM_E_FORMAT, "Content-Type: \"%.*s\", but the body is %s; %s is wanted",
          (int)min_size(r->n_type, 40), r->content_type, lookalikes[i].what, lookalikes[i].wanted);
  r->photos->photos[0].bytes = r->body;
  r->photos->photos[0].n = r->n;
  r->photos->n = 1;
  return CAM_OK;
}

/* ---- multipart/form-data ---- */

/* What a browser puts into a form beside what its user filled in: a file input that was left empty,
 * the charset (HTML, "constructing the entry list"), the button that was pressed, by its usual
 * names. */
static bool is_of_the_browser(const multipart_part *part) {
  static const char *const names[] = {"_charset_", "submit", "button", "upload"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(part->name, names[i]))
      return true;
  return part->unchosen;
}

static cam_code read_field(reading *r, const multipart_part *part) {
  char value[PARAM_VALUE_MAX + 1];
  if (params_find(part->name) < 0) /* before a look at its value, which may be the photo */
    return cam_fail(
        r->error, CAM_E_PARAMETER,
        "%.64s: there is no such field; there are image and the parameters (top_k, classes ...)",
        part->name);
  if (part->n > PARAM_VALUE_MAX)
    return cam_fail(r->error, CAM_E_PARAMETER, "%s: %zu characters; allowed are %d", part->name,
                    part->n, PARAM_VALUE_MAX);
  if (memchr(part->bytes, 0, part->n))
    return cam_fail(r->error, CAM_E_PARAMETER, "%.40s: holds a NUL character", part->name);
  memcpy(value, part->bytes, part->n);
  value[part->n] = 0;
  return params_set(r->params, part->name, value, r->error);
}

/* A short line of text in place of a file: its name, as `curl -F image=photo.jpg` sends it. */
static bool is_typed(const multipart_part *part) {
  if (part->of_file || part->n > TYPED_NAME_MAX)
    return false;
  for (size_t i = 0; i < part->n; i++)
    if (part->bytes[i] < ' ' || part->bytes[i] > '~')
      return false;
  return true;
}

static cam_code read_part(reading *r, const multipart_part *part, int number, int *images) {
  if (is_of_the_browser(part))
    return CAM_OK;
  if (strcmp(part->name, "image"))
    return read_field(r, part);
  if (!part->n)
    return cam_fail(r->error, CAM_E_BODY, "image: part %d is empty", number);
  ++*images;
  r->typed = is_typed(part);
  if (*images <= CAM_MAX_TASKS) {
    r->photos->photos[r->photos->n].bytes = part->bytes;
    r->photos->photos[r->photos->n].n = part->n;
    r->photos->n++;
  }
  return CAM_OK;
}

/* Photos beyond the limit are counted, not kept, so that the answer can say how many there were. */
static cam_code read_multipart(reading *r) {
  multipart reader;
  multipart_part part;
  bool more = true;
  int images = 0;
  cam_code code = multipart_open(&reader, r->content_type, r->body, r->n, r->error);
  if (!code)
    code = multipart_next(&reader, &part, &more, r->error);
  while (!code && more) {
    code = read_part(r, &part, reader.parts, &images);
    if (!code)
      code = multipart_next(&reader, &part, &more, r->error);
  }
  if (code)
    return code;
  if (images < 1 || images > CAM_MAX_TASKS)
    return cam_fail(r->error, CAM_E_BODY, "image: %d parts; allowed are 1 to %d", images,
                    CAM_MAX_TASKS);
  if (images == 1 && r->typed)
    return cam_fail(r->error, CAM_E_FORMAT,
                    "image: text, no photo; is the @ missing? (curl -F image=@photo.jpg)");
  return CAM_OK;
}

/* ---- JSON ---- */

static cam_code read_base64(reading *r, const json *member) {
  if (!member)
    return cam_fail(r->error, CAM_E_BODY, "image: missing; a base64 string is wanted");
  if (json_type_of(member) != JSON_STRING)
    return cam_fail(r->error, CAM_E_BODY, "image: not a string; a base64 string is wanted");
  const char *text = json_text(member);
  return request_photos_read(&text, 1, "image", false, r->photos, r->error);
}

/* Text of UTF-16 or UTF-32: by its byte order mark, or by the zero that is half of its first
 * character. */
static bool is_wide(const reading *r) {
  return begins_with(r, "\xfe\xff") || begins_with(r, "\xff\xfe") ||
         (r->n >= 2 && (!r->body[0] || !r->body[1]));
}

static cam_code read_json(reading *r) {
  if (is_wide(r))
    return cam_fail(r->error, CAM_E_BODY, "JSON: UTF-16 or UTF-32; only UTF-8 is read");
  size_t skip = 0;
  if (begins_with(r, byte_order_mark))
    skip = strlen(byte_order_mark);
  json *tree = json_parse((const char *)r->body + skip, r->n - skip, CAM_E_BODY, r->error);
  if (!tree)
    return r->error->code;
  cam_code code = CAM_OK;
  if (json_type_of(tree) != JSON_OBJECT)
    code = cam_fail(r->error, CAM_E_BODY,
                    "JSON: not an object; {\"image\": \"<base64>\"} is wanted");
  else
    code = read_base64(r, json_member(tree, "image"));
  for (const json *member = json_first(tree); !code && member; member = json_next(member)) {
    if (!strcmp(json_name(member), "image"))
      continue;
    code = json_params_set(r->params, member, r->error);
  }
  json_free(tree);
  return code;
}

cam_code request_read(const char *content_type, const uint8_t *body, size_t n,
                      request_params *params, request_photos *photos, cam_error *error) {
  static const struct {
    const char *type;
    cam_code (*read)(reading *);
  } forms[] = {
      {"multipart/form-data", read_multipart},
      {"application/json", read_json},
  };
  reading r = {"", 0, body, n, params, photos, error, false};
  if (content_type)
    r.content_type = content_type;
  r.n_type = strcspn(r.content_type, "; \t");
  *photos = (request_photos){0};
  if (!n)
    return cam_fail(error, CAM_E_BODY, "the body is empty; a photo is wanted");
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    if (is_type(&r, forms[i].type))
      return forms[i].read(&r);
  return read_photo(&r);
}
