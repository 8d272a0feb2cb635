/* request_id.h - the name by which an answer, its log line and its caller know one request.
 * Implemented in server/wire/request_id.c. Any thread. */
#ifndef REQUEST_ID_H
#define REQUEST_ID_H

enum { REQUEST_ID_MAX = 128 };

/* The caller's own id if it is plain (1 to 128 of A-Z a-z 0-9 . _ -), else, also for NULL, a fresh
 * one of 128 random bits as 32 hexadecimal digits. */
void request_id_set(char id[REQUEST_ID_MAX + 1], const char *own);

#endif
