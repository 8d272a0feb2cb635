/* headers.c - one table of what every answer says to browsers. Flow: job -> [headers] -> http.
 * The page needs its own script and style, its server, and pictures: overlays as data:, the
 * visitor's own photo as blob:. All else is off, so that a hole in the page would have nothing to
 * load, nowhere to send to and no markup to make (Trusted Types). frame-ancestors does what
 * X-Frame-Options did. */
#include "headers.h"
#include "work/app.h"
#include "work/job.h"

static const char page_policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; "
                                  "connect-src 'self'; img-src 'self' data: blob:; "
                                  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                                  "require-trusted-types-for 'script'";

bool headers_add(const struct job *job,
                 bool (*add)(void *closure, const char *name, const char *value), void *closure) {
  struct app *app = job->app;
  const bool draining = atomic_load(&app->phase) == APP_DRAINING;
  const struct {
    const char *name, *value;
  } rows[] = {
      /* value NULL: not this time */
      {"Content-Type", job->response.type},
      {"X-Request-Id", job->id},
      {"Cache-Control", "no-store"},
      {"X-Content-Type-Options",
       "nosniff"}, /* an answer is what its type says, whatever the bytes look like */
      {"Content-Security-Policy", page_policy},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy",
       "same-origin"}, /* who opens the page gets no hold of its window */
      {"Cross-Origin-Resource-Policy", "same-origin"}, /* no <img> or <script> of another site takes
                                                          an answer in; fetch() is up to CORS */
      {"Strict-Transport-Security",
       job->tls ? "max-age=31536000"
                : NULL}, /* come by TLS only; not said without it: RFC 6797 section 7.2 */
      {"Access-Control-Allow-Origin", job->allow_origin},
      {"Access-Control-Expose-Headers", job->allow_origin ? CORS_ANSWER_HEADERS : NULL},
      {"Vary", cors_varies(app->cors) ? "Origin" : NULL},
      {"Connection", draining ? "close" : NULL},
  };
  bool added = true;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].value)
      added &= add(closure, rows[i].name, rows[i].value);
  for (int i = 0; i < job->response.n_headers; i++)
    added &= add(closure, job->response.headers[i].name, job->response.headers[i].value);
  return added;
}
