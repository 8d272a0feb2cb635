/* ending.c - ending.h. Flow: http -> [ending] -> metrics, log.   Thread: the exchange's owner. */
#include "ending.h"
#include "cam_clock.h"
#include "request_log.h"
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

metrics_end ending_count(const struct exchange *exchange, const ending *how,
                         struct metrics *metrics) {
  const metrics_end end = ending_of(exchange, how);
  if (!exchange) {
    metrics_count_end(metrics, NULL, route_number(NULL), 0, end);
    return end;
  }
  const struct job *job = &exchange->job;
  int status = job->response.status;
  if (!status)
    status = how->library_status;
  if (!exchange->probe)
    metrics_count_end(metrics, job->counts, route_number(exchange->route), status, end);
  return end;
}

void ending_log(struct exchange *exchange, metrics_end end, const ending *how) {
  struct job *job = &exchange->job;
  if (end == REFUSED_TOO_SLOW && !job->error.code)
    cam_fail(&job->error, CAM_E_DEADLINE, "%zu bytes of the body in %.0f ms", exchange->bytes_in,
             1e3 * (clock_seconds() - job->began));
  if (!how->completed || !job->response.status)
    log_request(exchange, ending_words(end));
}
