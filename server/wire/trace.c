/* trace.c - traceparent: version "-" trace-id "-" parent-id "-" trace-flags, 2, 32, 16 and 2
 * lower-case hexadecimal digits (section 3.2.1). */
#include "trace.h"
#include <stddef.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

/* n digits, and what follows them. */
static bool is_hex(const char *text, size_t n) { return strspn(text, hex_digits) >= n; }
static bool is_zero(const char *text, size_t n) { return strspn(text, "0") >= n; }

bool trace_parse(const char *value, trace *out) {
  enum { TRACE = 3, PARENT = 36, FLAGS = 53, END = 55 };
  *out = (trace){0};
  if (!value)
    return false;
  value += strspn(value, " \t");
  size_t n = strlen(value);
  while (n && strchr(" \t", value[n - 1]))
    n--;
  if (n < END || value[TRACE - 1] != '-' || value[PARENT - 1] != '-' || value[FLAGS - 1] != '-')
    return false;
  if (!is_hex(value, 2) || !is_hex(value + TRACE, 32) || !is_hex(value + PARENT, 16) ||
      !is_hex(value + FLAGS, 2))
    return false;
  if (!strncmp(value, "ff", 2) || is_zero(value + TRACE, 32) || is_zero(value + PARENT, 16))
    return false;
  if (n > END && (!strncmp(value, "00", 2) || value[END] != '-'))
    return false; /* a later version may go on, after a dash: section 4.3 */
  memcpy(out->trace_id, value + TRACE, 32);
  memcpy(out->parent_id, value + PARENT, 16);
  return true;
}
