/* request_log.c - an exchange -> a line of the log. Flow: http -> [request_log] -> log.   Thread:
 * the exchange's owner. Values that a client chose are plain (id), numeric (peer) or cleaned
 * (method, path); nothing else of a request is written, so that no photo, key or header ends up in
 * a log. */
#include "request_log.h"
#include "base/log.h"
#include "cam_clock.h"
#include "routes.h"
#include <stdio.h>
#include <string.h>

static void log_error(struct log_line *line, const cam_error *error) {
  if (!error->code)
    return;
  log_text(line, "code", cam_code_name(error->code));
  log_text(line, "detail", error->detail);
  if (error->stage)
    log_text(line, "stage", error->stage);
}

static void log_photos(struct log_line *line, const struct job *job) {
  if (job->photos)
    log_number(line, "photos", job->photos, 0);
  if (!job->width)
    return;
  log_text(line, "format", cam_format_name(job->format));
  log_number(line, "width", job->width, 0);
  log_number(line, "height", job->height, 0);
}

static void log_stages(struct log_line *line, const reply_timing *timing) {
  if (timing->total_ms <= 0)
    return;
  log_number(line, "queue_ms", timing->queue_ms, 2);
  for (int s = 0; s < CAM_STAGE_COUNT; s++) {
    char name[32];
    snprintf(name, sizeof name, "%s_ms", cam_stage_name((cam_stage)s));
    log_number(line, name, timing->stage_ms[s], 2);
  }
}

void log_request(const struct exchange *exchange, const char *end) {
  const struct job *job = &exchange->job;
  const bool is_head = !strcmp(exchange->method, "HEAD");
  struct log_line line;
  log_open(&line);
  log_text(&line, "request_id", job->id[0] ? job->id : "-");
  log_text(&line, "peer", exchange->peer);
  if (exchange->key[0])
    log_text(&line, "key", exchange->key);
  log_text(&line, "method", exchange->method[0] ? exchange->method : "-");
  log_text(&line, "route", exchange->route ? exchange->route->path : "other");
  if (!exchange->route)
    log_text(&line, "path", exchange->path);
  log_number(&line, "status", job->response.status, 0); /* 0: closed without an answer of ours */
  if (end)
    log_text(&line, "end", end);
  log_number(&line, "in", (double)exchange->bytes_in, 0);
  log_number(&line, "out", is_head ? 0 : (double)job->response.n, 0);
  if (job->counts)
    log_text(&line, "model", job->counts->name);
  log_error(&line, &job->error);
  log_photos(&line, job);
  log_stages(&line, &job->timing);
  if (exchange->trace.trace_id[0]) {
    log_text(&line, "trace_id", exchange->trace.trace_id);
    log_text(&line, "parent_id", exchange->trace.parent_id);
  }
  log_number(&line, "total_ms", 1e3 * (clock_seconds() - job->began), 2);
  log_close(&line);
}
