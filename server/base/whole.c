/* whole.c - strtoll behind a look at every character: alone it would take " +8x" for 8. */
#include "whole.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool whole_read(const char *text, int64_t least, int64_t most, int64_t *out) {
  const char *digits = text;
  if (*digits == '-' && least < 0)
    digits++;
  if (!*digits || digits[strspn(digits, "0123456789")])
    return false;
  errno = 0;
  const long long value = strtoll(text, NULL, 10);
  if (errno || value < least || value > most)
    return false;
  *out = value;
  return true;
}
