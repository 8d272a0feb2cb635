/* routes.h - what this server answers to, a table, and the checks that a request passes before its
 * body is read. Implemented in server/http/routes.c and server/http/admit.c. Thread: HTTP threads;
 * touches only its arguments and app. */
#ifndef ROUTES_H
#define ROUTES_H
#include "work/job.h"

struct route {
  const char *method, *path;     /* path "/assets/..." : everything below /assets/ */
  void (*make)(struct job *job); /* makes the answer at once; NULL: the job goes to a worker */
  bool needs_model;              /* 503 until there is one */
  bool takes_body;
  bool wants_key; /* where there are keys. Not: what a probe asks, and what the page shows before a
                     key is typed in */
  unsigned ports; /* where: PORT_... */
};
/* PORT_ALONE: the main one where there is no admin port. What the service tells of itself is not
 * for strangers, if there is another place for it. */
enum { PORT_MAIN = 1, PORT_ALONE = 2, PORT_ADMIN = 4 };

/* For the metrics: number of a route (NULL: the last, "other") and labels in that order. */
int route_number(const struct route *route);
const char *const *route_labels(int *n);
/* The route of a path at a listener of these ports. NULL and CAM_E_NOT_FOUND: none; CAM_E_METHOD:
 * it does not answer to this method, and allow (room for 32) is what Allow says. */
const struct route *route_find(const char *method, const char *path, unsigned ports, char *allow,
                               cam_error *error);

/* What is known of a request when its headers are complete. Strings are borrowed; NULL where there
 * is none. */
enum { HEAD_QUERY = 16 };
struct head {
  const char *method, *path;
  const char *accept, *content_type, *request_id, *content_length, *transfer_encoding,
      *authorization, *api_key, *traceparent;
  const char *origin, *preflight; /* preflight: Access-Control-Request-Method */
  int content_lengths, transfer_encodings, traceparents, hosts; /* how often the header is there */
  int bad_names; /* headers whose name is none: "Content-Length : 5" */
  struct {
    const char *name, *value;
  } query[HEAD_QUERY]; /* value "" where there is no '=' */
  int n_query;         /* may be more than HEAD_QUERY: those are not kept */
  int n_headers;
  size_t n_bytes; /* of the request line and all headers */
  bool admin;     /* it came to the admin port */
};
/* True if a body follows the headers, or may: where that is not clear. */
bool head_has_body(const struct head *head);

/* Takes over into the job what it needs of the head and checks it. Afterwards job->error says what
 * is wrong, if anything is. */
void admit(struct job *job, const struct head *head);

#endif
