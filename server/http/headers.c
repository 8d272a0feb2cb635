/* headers.c - one table of what every answer says to browsers. Flow: exchange -> [headers] -> http.
 * The page needs its own script and style, its server, and pictures: overlays as data:, the
 * visitor's own photo as blob:. All else is off, so that a hole in the page would have nothing to
 * load, nowhere to send to and no markup to make (Trusted Types). frame-ancestors does what
 * X-Frame-Options did. */
#include "headers.h"
#include "cors.h"
#include "wire/problem.h"
#include <stdio.h>
#include <stdlib.h>

static const char page_policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; "
                                  "connect-src 'self'; img-src 'self' data: blob:; "
                                  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                                  "require-trusted-types-for 'script'";

/* Not said without TLS: RFC 6797 section 7.2. */
static const char transport_security[] = "max-age=31536000";

struct row {
  const char *name, *value; /* value NULL: not this time */
};

bool headers_add(const struct exchange *exchange,
                 bool (*add)(void *closure, const char *name, const char *value), void *closure) {
  const struct job *job = &exchange->job;
  const struct response *response = &job->response;
  const bool varies = cors_varies(exchange->access->cors);
  const struct row rows[] = {
      {"Content-Type", response->type},
      {"X-Request-Id", job->id},
      {"Cache-Control", "no-store"},
      /* an answer is what its type says, whatever the bytes look like */
      {"X-Content-Type-Options", "nosniff"},
      {"Content-Security-Policy", page_policy},
      {"Referrer-Policy", "no-referrer"},
      /* who opens the page gets no hold of its window */
      {"Cross-Origin-Opener-Policy", "same-origin"},
      /* no <img> or <script> of another site takes an answer in; fetch() is up to CORS */
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Strict-Transport-Security", exchange->tls ? transport_security : NULL},
      {"Access-Control-Allow-Origin", exchange->allow_origin},
      {"Access-Control-Expose-Headers", exchange->allow_origin ? CORS_ANSWER_HEADERS : NULL},
      {"Vary", varies ? "Origin" : NULL},
      {"Connection", exchange->last ? "close" : NULL},
  };
  bool added = true;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].value)
      added &= add(closure, rows[i].name, rows[i].value);
  for (int i = 0; i < response->n_headers; i++)
    added &= add(closure, response->headers[i].name, response->headers[i].value);
  return added;
}

static bool print_header(void *closure, const char *name, const char *value) {
  return fprintf(closure, "%s: %s\r\n", name, value) > 0;
}

char *headers_print(const struct exchange *exchange, size_t *n) {
  const struct response *response = &exchange->job.response;
  char *text = NULL;
  FILE *out = open_memstream(&text, n);
  if (!out)
    return NULL;
  fprintf(out, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n", response->status,
          problem_title(response->status), response->n);
  headers_add(exchange, print_header, out);
  fputs("\r\n", out);
  fwrite(response->body, 1, response->n, out);
  if (!fclose(out))
    return text;
  free(text);
  return NULL;
}
