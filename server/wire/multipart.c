/* multipart.c - finds delimiters with memmem, reads the few headers of a part, gives out ranges of
 * the body. Flow: request -> [multipart] -> request.   Thread: any. */
#include "multipart.h"
#include "cam_minmax.h"
#include <string.h>
#include <strings.h>

enum { HEADER_BYTES = 8192 }; /* of one part; curl and browsers send some 150 */

/* Reads a token or a quoted string (RFC 9110 section 5.6.4) at text[0..n) into out, NUL-terminated.
 * Characters read; 0 if it is empty, unfinished or does not fit. */
static size_t read_value(const char *text, size_t n, char *out, size_t room) {
  size_t used = 0, i = 0;
  bool quoted = n && text[0] == '"';
  for (i = quoted; i < n; i++) {
    char c = text[i];
    if (quoted && c == '"')
      break;
    if (!quoted && (c == ';' || c == ' ' || c == '\t'))
      break;
    if (quoted && c == '\\' && i + 1 < n && (text[i + 1] == '"' || text[i + 1] == '\\'))
      c = text[++i];
    if (!c || used + 1 >= room)
      return 0;
    out[used++] = c;
  }
  if (quoted && i == n)
    return 0;
  out[used] = 0;
  return used ? i + quoted : 0;
}

/* Where the value of parameter `name` begins in a header value text[0..n) "form-data; name=x;
 * filename=y"; NULL: there is no such parameter. */
static const char *find_value(const char *text, size_t n, const char *name) {
  size_t n_name = strlen(name);
  bool quoted = false;
  for (size_t i = 0; i < n; i++) {
    if (quoted && text[i] == '\\')
      i++;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (text[i] == ';' && !quoted) {
      size_t at = i + 1;
      while (at < n && (text[at] == ' ' || text[at] == '\t'))
        at++;
      if (n - at > n_name && !strncasecmp(text + at, name, n_name) && text[at + n_name] == '=')
        return text + at + n_name + 1;
    }
  }
  return NULL;
}

/* The parameter's value into out. 1: there; 0: absent; -1: there and not usable. */
static int find_parameter(const char *text, size_t n, const char *name, char *out, size_t room) {
  const char *value = find_value(text, n, name);
  if (!value)
    return 0;
  return read_value(value, (size_t)(text + n - value), out, room) ? 1 : -1;
}

/* filename="": what a browser sends for a file input that was left empty. */
static bool has_empty_filename(const char *text, size_t n) {
  const char *value = find_value(text, n, "filename"), *end = text + n;
  if (!value)
    return false;
  if (value == end || *value == ';')
    return true;
  return end - value >= 2 && value[0] == '"' && value[1] == '"';
}

cam_code multipart_open(multipart *reader, const char *content_type, const uint8_t *body, size_t n,
                        cam_error *error) {
  *reader = (multipart){.at = body, .end = body + n, .delimiter = "\r\n--"};
  int found = find_parameter(content_type, strlen(content_type), "boundary", reader->delimiter + 4,
                             MULTIPART_BOUNDARY + 1);
  if (!found)
    return cam_fail(error, CAM_E_BODY, "Content-Type: multipart/form-data without a boundary");
  if (found < 0)
    return cam_fail(error, CAM_E_BODY,
                    "Content-Type: the boundary is empty, unfinished or longer than %d characters",
                    MULTIPART_BOUNDARY);
  reader->n_delimiter = strlen(reader->delimiter);
  /* The first delimiter may open the body, without its line break; what stands before it is
   * a preamble and ignored. */
  if (n >= reader->n_delimiter - 2 && !memcmp(body, reader->delimiter + 2, reader->n_delimiter - 2))
    reader->at += reader->n_delimiter - 2;
  else {
    const uint8_t *first = memmem(body, n, reader->delimiter, reader->n_delimiter);
    if (!first)
      return cam_fail(
          error, CAM_E_BODY,
          "multipart: the boundary of Content-Type does not occur in the body of %zu bytes", n);
    reader->at = first + reader->n_delimiter;
  }
  return CAM_OK;
}

static bool starts_with(const char *line, size_t n, const char *prefix) {
  return n >= strlen(prefix) && !strncasecmp(line, prefix, strlen(prefix));
}

static cam_code read_header(const char *line, size_t n, multipart_part *part, int number,
                            cam_error *error) {
  static const char disposition[] = "Content-Disposition:",
                    encoding[] = "Content-Transfer-Encoding:";
  if (starts_with(line, n, disposition)) {
    if (part->name[0])
      return cam_fail(error, CAM_E_BODY, "multipart: part %d has two names", number);
    if (find_parameter(line, n, "name", part->name, sizeof part->name) < 0)
      return cam_fail(
          error, CAM_E_BODY,
          "multipart: the name of part %d is empty, unfinished or longer than %d characters",
          number, MULTIPART_NAME);
    part->unchosen = has_empty_filename(line, n);
    part->of_file = find_value(line, n, "filename") != NULL;
  } else if (starts_with(line, n, encoding)) {
    size_t at = sizeof encoding - 1;
    while (at < n && (line[at] == ' ' || line[at] == '\t'))
      at++;
    if (!starts_with(line + at, n - at, "binary") && !starts_with(line + at, n - at, "8bit") &&
        !starts_with(line + at, n - at, "7bit"))
      return cam_fail(error, CAM_E_BODY,
                      "multipart: part %d has a Content-Transfer-Encoding; only binary is read",
                      number); /* RFC 7578 section 4.7 */
  }
  return CAM_OK;
}

/* The lines from *at on, up to an empty one, on whose line break *at is then left: that may be the
 * delimiter's own, and the part empty. */
static cam_code read_headers(const uint8_t **at, const uint8_t *end, multipart_part *part,
                             int number, cam_error *error) {
  const uint8_t *const start = *at;
  size_t n_line;
  do {
    const size_t left = (size_t)(end - *at);
    const uint8_t *line = *at, *line_end = memmem(line, min_size(left, HEADER_BYTES), "\r\n", 2);
    if (!line_end && left < HEADER_BYTES)
      return cam_fail(error, CAM_E_BODY,
                      "multipart: the body ends within the headers of part %d, before the final "
                      "boundary",
                      number);
    if (!line_end || line_end - start > HEADER_BYTES)
      return cam_fail(error, CAM_E_BODY,
                      "multipart: the headers of part %d do not end within %d bytes", number,
                      HEADER_BYTES);
    n_line = (size_t)(line_end - line);
    cam_code code = CAM_OK;
    if (n_line)
      code = read_header((const char *)line, n_line, part, number, error);
    if (code)
      return code;
    *at = line_end + 2;
  } while (n_line);
  if (!part->name[0])
    return cam_fail(error, CAM_E_BODY, "multipart: part %d has no name", number);
  *at -= 2;
  return CAM_OK;
}

cam_code multipart_next(multipart *reader, multipart_part *part, bool *more, cam_error *error) {
  const uint8_t *at = reader->at;
  int number = reader->parts + 1;
  size_t left = (size_t)(reader->end - at);
  *more = false;
  if (left >= 2 && at[0] == '-' && at[1] == '-')
    return CAM_OK; /* what follows the closing delimiter is an epilogue and ignored */
  if (!left || (left == 1 && at[0] == '-'))
    return cam_fail(error, CAM_E_BODY,
                    "multipart: the body ends at the boundary before part %d, which lacks the two "
                    "hyphens of the final boundary",
                    number);
  while (left && (*at == ' ' || *at == '\t')) {
    at++;
    left--;
  }
  if (left < 2 || at[0] != '\r' || at[1] != '\n')
    return cam_fail(error, CAM_E_BODY, "multipart: no line break after the boundary before part %d",
                    number);
  *part = (multipart_part){.bytes = NULL};
  at += 2;
  cam_code code = read_headers(&at, reader->end, part, number, error);
  if (code)
    return code;
  const uint8_t *next = memmem(at, (size_t)(reader->end - at), reader->delimiter,
                               reader->n_delimiter);
  if (!next)
    return cam_fail(
        error, CAM_E_BODY,
        "multipart: the body ends within part %d (\"%.40s\"), before the final boundary", number,
        part->name);
  part->bytes = next == at ? next : at + 2;
  part->n = (size_t)(next - part->bytes);
  part->unchosen = part->unchosen && !part->n;
  reader->at = next + reader->n_delimiter;
  reader->parts = number;
  *more = true;
  return CAM_OK;
}
