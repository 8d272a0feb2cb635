/* trace.h - the caller's place in a distributed trace: W3C Trace Context,
 * https://www.w3.org/TR/trace-context/. Implemented in server/wire/trace.c. Any thread. */
#ifndef TRACE_H
#define TRACE_H
#include <stdbool.h>

typedef struct trace {
  char trace_id[33], parent_id[17];
} trace; /* lower-case hexadecimal; empty: there is none */

/* Reads a traceparent header. False, and *out empty, where value is NULL or not valid:
 * section 3.2.2 says to do then as if there were none. */
bool trace_parse(const char *value, trace *out);

#endif
