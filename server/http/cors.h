/* cors.h - which pages of other sites may call: the CORS protocol of the Fetch standard,
 * https://fetch.spec.whatwg.org/#http-cors-protocol. Implemented in server/http/cors.c. Immutable
 * once opened: any thread. */
#ifndef CORS_H
#define CORS_H
#include "cam_error.h"
#include <stdbool.h>

enum { CORS_ORIGINS = 64 };
struct cors;

/* list: origins as a browser sends them ("https://example.org", "http://localhost:3000"), comma
 * separated; or "*" alone. CAM_OK: *out is the caller's, for cors_free; NULL where list is empty:
 * no page of another site may call. Else CAM_E_PARAMETER names the origin. */
cam_code cors_open(const char *list, struct cors **out, cam_error *error);
void cors_free(struct cors *cors); /* NULL is allowed */

/* What Access-Control-Allow-Origin says to a request with this Origin (NULL: it has none); lives as
 * long as cors. NULL: the header is left out. */
const char *cors_allow(const struct cors *cors, const char *origin);
/* True if that depends on the request, so that every answer has to say Vary: Origin. */
bool cors_varies(const struct cors *cors);

/* What a page may send beside what every page may, and see beside what every page sees; and for how
 * many seconds a browser may remember the answer to its question whether it may (Chromium remembers
 * no longer than two hours). */
#define CORS_REQUEST_HEADERS \
  "Authorization, Content-Type, Inference-Header-Content-Length, X-Api-Key, X-Request-Id, " \
  "traceparent, tracestate"
#define CORS_ANSWER_HEADERS \
  "X-Request-Id, Retry-After, WWW-Authenticate, Inference-Header-Content-Length, " \
  "X-Cam-Class-Id, X-Cam-Label, X-Cam-Probability"
#define CORS_SECONDS "7200"

#endif
