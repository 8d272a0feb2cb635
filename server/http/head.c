/* head.c - head.h. Flow: http -> [head] -> admit.   Thread: the connection's. */
#include "head.h"
#include "base/whole.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* RFC 9110 section 5.6.2 */
static bool is_name(const char *name) {
  static const char token[] =
      "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  return *name && !name[strspn(name, token)];
}

/* ---- where the parts lie ---- */

enum { LINE_END = 2 };

void head_line(struct head *head, const char *method, const char *target_end, const char *version) {
  if (!target_end || !*version)
    return; /* HTTP/0.9, which has no headers */
  head->due = version + strlen(version) + LINE_END;
  head->strange = target_end + 1 != version || method >= target_end;
}

static void check_place(struct head *head, const char *name, const char *value) {
  if (!head->due)
    return;
  if (name != head->due)
    head->strange = true;
  head->due = value + strlen(value) + LINE_END;
}

void head_end(struct head *head) {
  if (head->due && head->due + LINE_END != head->method + head->n_bytes)
    head->strange = true;
}

/* ---- headers ---- */

/* Two lines of a list are one, in their order: RFC 9110 section 5.3. */
static void append_line(struct head *head, const char **list, char **owned, const char *value) {
  char *longer = NULL;
  if (!*list) {
    *list = value;
    return;
  }
  if (asprintf(&longer, "%s, %s", *list, value) < 0) {
    head->no_memory = true;
    return;
  }
  free(*owned);
  *owned = longer;
  *list = longer;
}

void head_clear(struct head *head) {
  free(head->joined_accept);
  free(head->joined_forwarded);
}

void head_add_header(struct head *head, const char *name, const char *value) {
  const struct {
    const char *name;
    const char **value;
    int *count; /* NULL: how often does not matter */
  } wanted[] = {
      {"Content-Type", &head->content_type, NULL},
      {"Content-Encoding", &head->content_encoding, NULL},
      {"X-Request-Id", &head->request_id, NULL},
      {"Content-Length", &head->content_length, &head->content_lengths},
      {"Transfer-Encoding", &head->transfer_encoding, &head->transfer_encodings},
      {"Authorization", &head->authorization, NULL},
      {"X-Api-Key", &head->api_key, NULL},
      {"Inference-Header-Content-Length", &head->json_length, NULL},
      {"traceparent", &head->traceparent, &head->traceparents},
      {"Host", &head->host, &head->hosts},
      {"Origin", &head->origin, NULL},
      {"Access-Control-Request-Method", &head->preflight, NULL},
  };
  const char *text = value ? value : ""; /* the library has NULL for what is empty */
  check_place(head, name, text);
  if (!is_name(name))
    head->bad_names++;
  if (!strcasecmp(name, "Accept"))
    append_line(head, &head->accept, &head->joined_accept, text);
  if (!strcasecmp(name, "X-Forwarded-For"))
    append_line(head, &head->forwarded_for, &head->joined_forwarded, text);
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    if (strcasecmp(name, wanted[i].name))
      continue;
    *wanted[i].value = value;
    if (wanted[i].count)
      ++*wanted[i].count;
  }
}

void head_add_query(struct head *head, const char *name, const char *value) {
  if (head->n_query < HEAD_QUERY) {
    head->query[head->n_query].name = name;
    head->query[head->n_query].value = value ? value : "";
  }
  head->n_query++;
}

uint64_t head_declared(const struct head *head) {
  int64_t n;
  if (!head->content_length)
    return 0;
  return whole_read(head->content_length, 0, INT64_MAX, &n) ? (uint64_t)n : UINT64_MAX;
}

bool head_has_body(const struct head *head) {
  return head->transfer_encodings || head->content_lengths > 1 || head->bad_names ||
         head->strange || head_declared(head);
}

const char *head_path(const char *target) {
  size_t scheme = 0;
  if (!strncasecmp(target, "http://", 7))
    scheme = 7;
  else if (!strncasecmp(target, "https://", 8))
    scheme = 8;
  if (!scheme)
    return target;
  const char *path = strchr(target + scheme, '/');
  return path ? path : "/";
}

void head_shorten_query(char *line) {
  int parameters = 0;
  for (char *at = strchr(line, '?'); at && *at; at++) {
    if (*at != '&')
      continue;
    parameters++;
    if (parameters > 4 * HEAD_QUERY)
      *at = 0;
  }
}

/* -1: c is no digit. */
static int hex(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* What "%41" stands for; -1: there is no escape here. */
static int escaped(const char *at) {
  if (at[0] != '%' || hex(at[1]) < 0 || hex(at[2]) < 0)
    return -1;
  return hex(at[1]) * 16 + hex(at[2]);
}

size_t head_unescape(char *text) {
  enum { NUL_STANDS_FOR = 1 };
  char *out = text;
  for (const char *in = text; *in;) {
    const int value = escaped(in);
    if (value < 0) {
      *out++ = *in++;
      continue;
    }
    *out++ = (char)(value ? value : NUL_STANDS_FOR);
    in += 3;
  }
  *out = 0;
  return (size_t)(out - text);
}
