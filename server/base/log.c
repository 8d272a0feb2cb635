/* log.c - the form of a line. Flow: anyone -> [log] -> standard error.   Thread: any. */
#include "log.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool as_json;
void log_use_json(bool wanted) { as_json = wanted; }

static void put(struct log_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void put(struct log_line *line, const char *format, ...) {
  const size_t room = LOG_LINE - line->n;
  va_list arguments;
  va_start(arguments, format);
  const int n = vsnprintf(line->text + line->n, room, format, arguments);
  va_end(arguments);
  if (n > 0)
    line->n += (size_t)n < room ? (size_t)n : room - 1;
}

/* The brace is all that is before the first member of JSON. */
static void put_name(struct log_line *line, const char *name) {
  const bool first = line->n <= as_json;
  if (!first)
    put(line, as_json ? "," : " ");
  put(line, as_json ? "\"%s\":" : "%s=", name);
}

static void put_quoted(struct log_line *line, const char *value, bool quoted) {
  for (; *value; value++) {
    const unsigned char c = (unsigned char)*value;
    if (quoted && (c == '"' || c == '\\'))
      put(line, "\\%c", c);
    else
      put(line, "%c", c < ' ' || c > '~' ? '?' : c);
  }
}

void log_text(struct log_line *line, const char *name, const char *value) {
  const bool quoted = as_json || !*value || value[strcspn(value, " \"=\\")];
  const char *quote = quoted ? "\"" : "";
  put_name(line, name);
  put(line, "%s", quote);
  put_quoted(line, value, quoted);
  put(line, "%s", quote);
}

void log_number(struct log_line *line, const char *name, double value, int decimals) {
  put_name(line, name);
  put(line, "%.*f", decimals, value);
}

void log_open(struct log_line *line) {
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
  log_text(line, "time", text);
}

void log_close(struct log_line *line) {
  const size_t most = LOG_LINE - 3; /* before what ends a line */
  if (line->n > most)
    line->n = most;
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
  struct log_line line;
  log_open(&line);
  log_text(&line, "source", source);
  log_text(&line, "event", text);
  log_close(&line);
}
