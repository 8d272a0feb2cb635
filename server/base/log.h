/* log.h - lines on standard error, as text (name=value) or as JSON, each with the time in front.
 * Implemented in server/base/log.c. Thread: any; a line is one write(2), which never waits for who
 * reads it. A line that cannot be written is lost and counted; the first that can be written again
 * comes after one that says how many were lost. */
#ifndef LOG_H
#define LOG_H
#include <stdbool.h>
#include <stddef.h>

/* Both before any thread is started. */
void log_use_json(bool wanted);
void log_open_output(void);

/* What happens to the service itself; source names the part that says it. */
void log_event(const char *source, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line of one's own: opened, filled with members in any number, closed, which writes it. What
 * does not fit is cut off. Characters that are not printable ASCII become '?'. */
enum { LOG_LINE = 1536 };
struct log_line {
  char text[LOG_LINE];
  size_t n;
};
void log_open(struct log_line *line);
void log_text(struct log_line *line, const char *name, const char *value);
void log_number(struct log_line *line, const char *name, double value, int decimals);
void log_close(struct log_line *line);

/* How many lines were lost since the start. */
unsigned long long log_lines_lost(void);

#endif
