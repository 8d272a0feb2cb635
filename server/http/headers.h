/* headers.h - the header fields of an answer: its own, and those that every answer has. Implemented
 * in server/http/headers.c. Thread: the exchange's owner. */
#ifndef HEADERS_H
#define HEADERS_H
#include "exchange.h"

/* Calls add for each header of the answer. False: one of the calls returned false. */
bool headers_add(const struct exchange *exchange,
                 bool (*add)(void *closure, const char *name, const char *value), void *closure);

/* The whole answer as it goes over the wire, n bytes, for free(); NULL: no memory. */
char *headers_print(const struct exchange *exchange, size_t *n);

#endif
