/* whole.h - whole numbers that others wrote as text: settings, parameters, options, headers. The
 * one reader of them. Implemented in server/base/whole.c. Any thread. */
#ifndef WHOLE_H
#define WHOLE_H
#include <stdbool.h>
#include <stdint.h>

/* All of text is decimal digits, with a minus before them only where least is negative, and least
 * <= value <= most: true, and *out is the value. Else false, and *out is as it was: no sign, blank,
 * point, exponent or hexadecimal, and no number that is too large for its type, gets through. */
bool whole_read(const char *text, int64_t least, int64_t most, int64_t *out);

#endif
