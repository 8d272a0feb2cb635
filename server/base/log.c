/* log.c - the form of a line. Flow: anyone -> [log] -> standard error.   Thread: any. */
#include "log.h"
#include "sink.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards both below */
static struct sink output = {.descriptor = STDERR_FILENO};
static unsigned long long unsaid; /* lines lost since a line said so */
static atomic_ullong lost;

static bool as_json;
void log_open_output(void) { output = sink_open(STDERR_FILENO); }
unsigned long long log_lines_lost(void) { return atomic_load(&lost); }

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

static void end_line(struct log_line *line) {
  const size_t most = LOG_LINE - 3; /* before what ends a line */
  if (line->n > most)
    line->n = most;
  if (as_json)
    line->text[line->n++] = '}';
  line->text[line->n++] = '\n';
}

/* A line that says how many were lost, then this one: both or none. Called with the mutex held. */
static bool write_after_loss(const struct log_line *line) {
  struct log_line first;
  char text[64], both[2 * LOG_LINE];
  if (!sink_has_room(&output))
    return false;
  snprintf(text, sizeof text, "%llu lines were lost: nobody read them", unsaid);
  log_open(&first);
  log_text(&first, "source", "log");
  log_text(&first, "event", text);
  end_line(&first);
  memcpy(both, first.text, first.n);
  memcpy(both + first.n, line->text, line->n);
  return sink_write(&output, both, first.n + line->n);
}

void log_close(struct log_line *line) {
  end_line(line);
  pthread_mutex_lock(&mutex);
  const bool written = unsaid ? write_after_loss(line) : sink_write(&output, line->text, line->n);
  if (written) {
    unsaid = 0;
  } else {
    unsaid++;
    atomic_fetch_add(&lost, 1);
  }
  pthread_mutex_unlock(&mutex);
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
