/* accept.h - which of its two forms an answer of POST /cam takes (RFC 9110 section 12.5.1). Implemented in server/accept.c. Any thread. */
#ifndef ACCEPT_H
#define ACCEPT_H
#include <stdbool.h>

typedef enum accept_form { ACCEPT_JSON, ACCEPT_PNG, ACCEPT_NEITHER } accept_form;

/* value: of the Accept header, NULL if there is none (then JSON). The form with the higher quality wins; at equal quality the one that is
 * named more exactly, else JSON: with "image/png, * / *" that is PNG. */
accept_form accept_choose(const char *value);

#endif
