/* headers.h - the header fields of an answer: its own, and those that every answer has. Implemented
 * in server/http/headers.c. Thread: the job's owner. */
#ifndef HEADERS_H
#define HEADERS_H
#include <stdbool.h>

struct job;
/* Calls add for each header of job->response. False: one of the calls returned false. */
bool headers_add(const struct job *job,
                 bool (*add)(void *closure, const char *name, const char *value), void *closure);

#endif
