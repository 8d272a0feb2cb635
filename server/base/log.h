/* log.h - one line a request and a few about the service itself, on standard error, as text
 * (name=value) or JSON. Implemented in server/base/log.c. Thread: any; a line is one write(2). */
#ifndef LOG_H
#define LOG_H
#include <stdbool.h>

struct job;
void log_use_json(bool wanted); /* before any thread is started */
/* Written when the answer is made, before it is sent, so that a caller who has it finds the line;
 * end NULL. Or when the connection ended without one, or while it was sent; end says how. Thread:
 * the job's owner. */
void log_request(const struct job *job, const char *end);
void log_event(const char *source, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
