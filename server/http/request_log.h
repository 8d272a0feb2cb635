/* request_log.h - the line that the log has of each request. Implemented in
 * server/http/request_log.c. Thread: the exchange's owner. */
#ifndef REQUEST_LOG_H
#define REQUEST_LOG_H
#include "exchange.h"

/* Written when the answer is made, before it is sent, so that a caller who has it finds the line;
 * end NULL. Or when the connection ended without one, or while it was sent; end says how. */
void log_request(const struct exchange *exchange, const char *end);

#endif
