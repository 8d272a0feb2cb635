/* log.c - the form of a line. Values that a client chose are plain (id), numeric (peer) or cleaned
 * (method, path); nothing else of a request is written, so that no photo, key or header ends up in
 * a log. */
#include "log.h"
#include "http/routes.h"
#include "work/job.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 1536 };
struct line {
  char text[LINE];
  size_t n;
};

static bool as_json;
void log_use_json(bool wanted) { as_json = wanted; }

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(line->text + line->n, LINE - line->n, format, arguments);
  va_end(arguments);
  if (n > 0)
    line->n += (size_t)n < LINE - line->n ? (size_t)n : LINE - line->n - 1;
}

static void put_name(struct line *line, const char *name) {
  put(line, as_json ? "%s\"%s\":" : "%s%s=", line->n > as_json ? as_json ? "," : " " : "", name);
}

static void put_text(struct line *line, const char *name, const char *value) {
  bool quoted = as_json || !*value || value[strcspn(value, " \"=\\")];
  put_name(line, name);
  if (quoted)
    put(line, "\"");
  for (; *value; value++) {
    unsigned char c = (unsigned char)*value;
    if (quoted && (c == '"' || c == '\\'))
      put(line, "\\%c", c);
    else
      put(line, "%c", c < ' ' || c > '~' ? '?' : c);
  }
  if (quoted)
    put(line, "\"");
}

static void put_number(struct line *line, const char *name, double value, int decimals) {
  put_name(line, name);
  put(line, "%.*f", decimals, value);
}

static void open_line(struct line *line) {
  struct timespec now;
  struct tm utc;
  char stamp[32], text[48];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text, sizeof text, "%s.%03dZ", stamp, (int)(now.tv_nsec / 1000000));
  line->n = 0;
  if (as_json)
    put(line, "{");
  put_text(line, "time", text);
}

static void close_line(struct line *line) {
  if (line->n > LINE - 3)
    line->n = LINE - 3;
  if (as_json)
    line->text[line->n++] = '}';
  line->text[line->n++] = '\n';
  if (write(STDERR_FILENO, line->text, line->n) < 0) {
  } /* there is nowhere to say that the log is lost */
}

void log_event(const char *source, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  text[strcspn(text, "\r\n")] = 0;
  struct line line;
  open_line(&line);
  put_text(&line, "source", source);
  put_text(&line, "event", text);
  close_line(&line);
}

void log_request(const struct job *job, const char *end) {
  struct line line;
  open_line(&line);
  put_text(&line, "request_id", job->id[0] ? job->id : "-");
  put_text(&line, "peer", job->peer);
  if (job->key[0])
    put_text(&line, "key", job->key);
  put_text(&line, "method", job->method[0] ? job->method : "-");
  put_text(&line, "route", job->route ? job->route->path : "other");
  if (!job->route)
    put_text(&line, "path", job->path);
  put_number(&line, "status", job->response.status, 0); /* 0: closed without an answer of ours */
  if (end)
    put_text(&line, "end", end);
  put_number(&line, "in", (double)job->bytes_in, 0);
  put_number(&line, "out", strcmp(job->method, "HEAD") ? (double)job->response.n : 0, 0);
  if (job->error.code) {
    put_text(&line, "code", cam_code_name(job->error.code));
    put_text(&line, "detail", job->error.detail);
    if (job->error.stage)
      put_text(&line, "stage", job->error.stage);
  }
  if (job->photos)
    put_number(&line, "photos", job->photos, 0);
  if (job->width) {
    put_text(&line, "format", cam_format_name(job->format));
    put_number(&line, "width", job->width, 0);
    put_number(&line, "height", job->height, 0);
  }
  if (job->timing.total_ms > 0) {
    put_number(&line, "queue_ms", job->timing.queue_ms, 2);
    for (int s = 0; s < CAM_STAGE_COUNT; s++) {
      char name[32];
      snprintf(name, sizeof name, "%s_ms", cam_stage_name((cam_stage)s));
      put_number(&line, name, job->timing.stage_ms[s], 2);
    }
  }
  if (job->trace.trace_id[0]) {
    put_text(&line, "trace_id", job->trace.trace_id);
    put_text(&line, "parent_id", job->trace.parent_id);
  }
  put_number(&line, "total_ms", 1e3 * (clock_seconds() - job->began), 2);
  close_line(&line);
}
