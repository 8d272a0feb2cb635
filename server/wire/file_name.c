/* file_name.c - file_name.h. UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing
 * above U+10FFFF. */
#include "file_name.h"
#include "cam_encoding.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* By the first byte: how many follow, and between what the first of these must lie; all others are
 * of 0x80 to 0xbf. */
typedef struct utf8_row {
  uint8_t first, last, follow, low, high;
} utf8_row;
static const utf8_row utf8_rows[] = {
    {0x01, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

/* Bytes of the character that text begins with, 0: it is none. A NUL ends text. */
static size_t character_length(const uint8_t *text) {
  const utf8_row *row = utf8_rows, *end = row + sizeof utf8_rows / sizeof *utf8_rows;
  while (row < end && (*text < row->first || *text > row->last))
    row++;
  if (row == end)
    return 0;
  if (row->follow && (text[1] < row->low || text[1] > row->high))
    return 0;
  for (int i = 2; i <= row->follow; i++)
    if ((text[i] & 0xc0) != 0x80)
      return 0;
  return row->follow + 1u;
}

static bool is_utf8(const char *text) {
  while (*text) {
    const size_t n = character_length((const uint8_t *)text);
    if (!n)
      return false;
    text += n;
  }
  return true;
}

/* Each wrong byte as U+FFFD. For free(). */
static char *readable(const char *path) {
  char *out = malloc(3 * strlen(path) + 1), *to = out;
  if (!out)
    return NULL;
  while (*path) {
    size_t n = character_length((const uint8_t *)path);
    if (n) {
      to = mempcpy(to, path, n);
    } else {
      to = mempcpy(to, "\xef\xbf\xbd", 3);
      n = 1;
    }
    path += n;
  }
  *to = '\0';
  return out;
}

static char *base64_of(const char *path) {
  const size_t n = strlen(path), n_text = cam_base64_length(n);
  char *out = malloc(n_text + 1);
  if (!out)
    return NULL;
  cam_base64_encode((const uint8_t *)path, n, out);
  out[n_text] = '\0';
  return out;
}

void file_name_add(json *object, const char *path) {
  if (is_utf8(path)) {
    json_add_text(object, "file", path);
    return;
  }
  char *text = readable(path), *bytes = base64_of(path);
  json_add_text(object, "file", text); /* NULL breaks the tree, and nothing is printed */
  json_add_text(object, "file_base64", bytes);
  free(text);
  free(bytes);
}

char *file_name_key(const char *path) {
  if (is_utf8(path))
    return strdup(path);
  return base64_of(path);
}
