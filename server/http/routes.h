/* routes.h - what this server answers to: a table. Implemented in server/http/routes.c. Thread:
 * HTTP threads; touches only its arguments and app. */
#ifndef ROUTES_H
#define ROUTES_H
#include "exchange.h"

struct route {
  const char *method, *path;               /* "/assets/...": everything below /assets/ */
  void (*make)(struct exchange *exchange); /* makes the answer at once; NULL: a worker does */
  unsigned ports;                          /* where: PORT_... */
  bool needs_model;                        /* 503 until there is one */
  bool takes_body;
  bool wants_key; /* where there are keys. Not: what a probe asks, and what the page shows before a
                     key is typed in */
  bool of_model;  /* its query may name a model: job.served */
  bool probe;     /* asked for again and again by balancers: not counted as a request */
};
/* PORT_ALONE: the main one where there is no admin port. What the service tells of itself is not
 * for strangers, if there is another place for it. */
enum { PORT_MAIN = 1, PORT_ALONE = 2, PORT_ADMIN = 4 };

/* For the metrics: number of a route (NULL: the last, "other") and labels in that order. */
int route_number(const struct route *route);
const char *const *route_labels(int *n);
/* Whether a request target, as it came, is that of a probe. */
bool route_is_probe(const char *target);
/* The route of a path at a listener of these ports. NULL and CAM_E_NOT_FOUND: none; CAM_E_METHOD:
 * it does not answer to this method, and allow (room for 32) is what Allow says. */
const struct route *route_find(const char *method, const char *path, unsigned ports, char *allow,
                               cam_error *error);

#endif
