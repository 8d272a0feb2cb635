/* ending.c - ending.h. Flow: http -> [ending] -> metrics, log.   Thread: the exchange's owner. */
#include "ending.h"
#include "routes.h"

metrics_end ending_of(const struct exchange *exchange, const ending *how) {
  if (!exchange)
    return REFUSED_NO_MEMORY;
  const struct job *job = &exchange->job;
  if (exchange->end)
    return exchange->end;
  if (job->response.status && how->completed)
    return metrics_end_of(job->error.code, exchange->route && exchange->route->takes_body);
  if (job->response.status)
    return ABANDONED_SENDING;
  if (job->hung_up)
    return ABANDONED_QUEUED;
  if (how->timed_out)
    return REFUSED_TOO_SLOW;
  if (how->stopped)
    return REFUSED_NOT_READY;
  if (!how->library_status)
    return ABANDONED_RECEIVING;
  if (how->library_status == 413 || how->library_status == 431)
    return REFUSED_TOO_LARGE;
  return REFUSED_MALFORMED;
}

const char *ending_words(metrics_end end) {
  static const char *const words[END_COUNT] = {
      [REFUSED_TOO_LARGE] = "closed: too large",
      [REFUSED_TOO_SLOW] = "closed: too slow",
      [REFUSED_NO_MEMORY] = "closed: no memory",
      [REFUSED_MALFORMED] = "closed: not HTTP",
      [REFUSED_NOT_READY] = "closed: the service stopped",
      [ABANDONED_RECEIVING] = "client left while it was read",
      [ABANDONED_QUEUED] = "client left while it waited",
      [ABANDONED_SENDING] = "cut off while it was sent",
  };
  return words[end];
}
