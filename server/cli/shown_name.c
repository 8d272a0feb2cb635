/* shown_name.c - shown_name.h. */
#include "shown_name.h"
#include <string.h>

static int is_tail(unsigned char byte) { return (byte & 0xc0) == 0x80; }

/* Bytes of the character that a text begins with; 0: it is to be shown as "?". */
static int character_bytes(const char *text) {
  const unsigned char *c = (const unsigned char *)text;
  if (*c < 0x80)
    return *c >= ' ' && *c != 0x7f;
  if (*c < 0xc2 || *c > 0xf4)
    return 0;
  const int n = 2 + (*c >= 0xe0) + (*c >= 0xf0);
  if (*c == 0xc2 && c[1] < 0xa0) /* C1, the other control characters */
    return 0;
  for (int i = 1; i < n; i++)
    if (!is_tail(c[i]))
      return 0;
  return n;
}

const char *shown_name(const char *text, char out[SHOWN_NAME_MAX]) {
  char *to = out;
  for (int columns = 0; *text && columns < SHOWN_NAME_COLUMNS; columns++) {
    const int n = character_bytes(text);
    if (!n) {
      *to++ = '?';
      text++;
      continue;
    }
    memcpy(to, text, (size_t)n);
    to += n;
    text += n;
  }
  *to = '\0';
  return out;
}

int shown_name_columns(const char *shown) {
  int columns = 0;
  for (; *shown; shown++)
    columns += !is_tail((unsigned char)*shown);
  return columns;
}
