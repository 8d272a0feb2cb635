/* ending.h - how a request ended, as the metrics count it and as the log says it. Implemented in
 * server/http/ending.c. Thread: the exchange's owner. */
#ifndef ENDING_H
#define ENDING_H
#include "exchange.h"

/* What the HTTP library tells of the end of a request. */
typedef struct ending {
  bool completed;     /* the last byte of an answer was sent */
  bool timed_out;     /* by the library, or by watch.h */
  bool stopped;       /* the service ended */
  int library_status; /* of an answer that the library gave by itself; 0: none */
} ending;

/* exchange NULL: there was no memory for one. */
metrics_end ending_of(const struct exchange *exchange, const ending *how);
/* What the log says of a request without a whole answer; NULL: nothing more. */
const char *ending_words(metrics_end end);

/* When it is over: counted with its route, model and status, unless it was a probe; exchange may be
 * NULL. */
metrics_end ending_count(const struct exchange *exchange, const ending *how,
                         struct metrics *metrics);
/* Its line, or one more where the one that was written with its answer does not say how it ended.
 */
void ending_log(struct exchange *exchange, metrics_end end, const ending *how);

#endif
