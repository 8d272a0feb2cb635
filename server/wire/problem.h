/* problem.h - the one table from camserve's error list to HTTP, and RFC 9457 problem documents.
 * Thread: any. */
#ifndef PROBLEM_H
#define PROBLEM_H
#include "cam_error.h"
#include "cam_json.h"

/* HTTP status of an error (a unit test asserts that no code is without one). */
int problem_status(cam_code code);
/* Whether the same request may succeed in a moment, so that the answer says Retry-After. */
bool problem_passes(cam_code code);
/* "Bad Request" */
const char *problem_title(int status);
/* {"type","title","status","detail","code","request_id"} (+ "stage" where the error names one) as a
 * tree (the caller's) or as text (for free(); NULL: no memory). */
json *problem_tree(const cam_error *error, const char *request_id);
char *problem_text(const cam_error *error, const char *request_id, size_t *n);

#endif
