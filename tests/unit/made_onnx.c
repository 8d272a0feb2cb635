/* made_onnx.c - made_onnx.h. The numbers of the fields are those of onnx.proto. */
#include "made_onnx.h"
#include <check.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void made_varint(made_bytes *to, uint64_t value) {
  if (to->n + 16 > to->room) {
    to->room = 2 * to->room + 64;
    to->at = realloc(to->at, to->room);
    ck_assert_ptr_nonnull(to->at);
  }
  for (; value > 127; value >>= 7)
    to->at[to->n++] = (uint8_t)(value | 128);
  to->at[to->n++] = (uint8_t)value;
}

static void raw(made_bytes *to, const void *data, size_t n) {
  while (to->n + n > to->room) {
    to->room = 2 * to->room + 64;
    to->at = realloc(to->at, to->room);
    ck_assert_ptr_nonnull(to->at);
  }
  if (n)
    memcpy(to->at + to->n, data, n);
  to->n += n;
}

void made_field(made_bytes *to, int field, const void *data, size_t n) {
  made_varint(to, (uint64_t)field << 3 | 2);
  made_varint(to, n);
  raw(to, data, n);
}

void made_text(made_bytes *to, int field, const char *text) {
  made_field(to, field, text, strlen(text));
}

void made_number(made_bytes *to, int field, uint64_t value) {
  made_varint(to, (uint64_t)field << 3);
  made_varint(to, value);
}

static void real_number(made_bytes *to, int field, float value) {
  made_varint(to, (uint64_t)field << 3 | 5);
  raw(to, &value, sizeof value);
}

/* A message that is done becomes a field of another. */
static void into(made_bytes *to, int field, made_bytes *message) {
  made_field(to, field, message->at, message->n);
  free(message->at);
  *message = (made_bytes){0};
}

/* The numbers of "1,-1" or "4x3": how many. */
static int numbers(const char *text, int64_t out[64]) {
  int n = 0;
  for (char *end; *text && n < 64; text = *end ? end + 1 : end) {
    out[n++] = strtoll(text, &end, 10);
    ck_assert_ptr_ne(end, text);
  }
  return n;
}

static uint32_t noise; /* of weights; begins anew with each model */

/* The initializer that an input like w:4x3x1x1 stands for; its name is the text itself. */
static void initializer(made_bytes *graph, const char *text) {
  made_bytes tensor = {0}, values = {0};
  int64_t sides[64];
  int n;
  if (*text == 'w') {
    size_t count = 1;
    n = numbers(text + 2, sides);
    for (int i = 0; i < n; i++)
      count *= (size_t)sides[i];
    for (size_t i = 0; i < count; i++) {
      noise = noise * 1664525 + 1013904223;
      const float value = (float)(noise >> 8) / (1 << 24) + .1f;
      raw(&values, &value, sizeof value);
    }
  } else if (*text == 'i') {
    char copy[64];
    snprintf(copy, sizeof copy, "%s", text + 2);
    const int one = strchr(copy, ';') != NULL;
    if (one)
      *strchr(copy, ';') = 0;
    n = numbers(copy, sides);
    raw(&values, sides, (size_t)n * sizeof *sides);
    sides[0] = n;
    n = one ? 0 : 1;
  } else {
    const float value = strtof(text + 2, NULL);
    raw(&values, &value, sizeof value);
    n = 0;
  }
  for (int i = 0; i < n; i++)
    made_number(&tensor, 1, (uint64_t)sides[i]);
  made_number(&tensor, 2, *text == 'i' ? 7 : 1);
  made_text(&tensor, 8, text);
  into(&tensor, 9, &values);
  into(graph, 5, &tensor);
}

static void attribute(made_bytes *node, char *text) {
  made_bytes out = {0};
  char *value = strchr(text, '=');
  ck_assert_ptr_nonnull(value);
  *value++ = 0;
  made_text(&out, 1, text);
  if (!strcmp(value, "GRAPH"))
    made_text(&out, 6, "");
  else if (isalpha((unsigned char)*value))
    made_text(&out, 4, value);
  else if (strchr(value, '.') && strchr(value, ','))
    for (char *each = strtok(value, ","); each; each = strtok(NULL, ","))
      real_number(&out, 7, strtof(each, NULL));
  else if (strchr(value, '.'))
    real_number(&out, 2, strtof(value, NULL));
  else if (strchr(value, ',')) {
    int64_t list[64];
    for (int i = 0, n = numbers(value, list); i < n; i++)
      made_number(&out, 8, (uint64_t)list[i]);
  } else
    made_number(&out, 3, (uint64_t)strtoll(value, NULL, 10));
  into(node, 5, &out);
}

/* Blanks around a text go. */
static char *trim(char *text) {
  while (*text == ' ')
    text++;
  for (char *end = text + strlen(text); end > text && end[-1] == ' ';)
    *--end = 0;
  return text;
}

static void each_input(made_bytes *graph, made_bytes *node, char *list, char seen[][64],
                       int *n_seen) {
  if (!*trim(list))
    return;
  for (char *next, *name = list; name; name = next) {
    next = strstr(name, ", ");
    if (next) {
      *next = 0;
      next += 2;
    }
    name = trim(name);
    if (!strcmp(name, "_"))
      *name = 0;
    made_text(node, 1, name);
    bool known = !*name || name[1] != ':';
    for (int i = 0; i < *n_seen; i++)
      known |= !strcmp(seen[i], name);
    if (known)
      continue;
    snprintf(seen[(*n_seen)++], 64, "%s", name);
    initializer(graph, name);
  }
}

/* "y = Conv(x, w:4x3x1x1) pads=1,1,1,1"; the first output's name to `output`. */
static void line(made_bytes *graph, char *text, char seen[][64], int *n_seen, char output[64]) {
  made_bytes node = {0};
  char *equal = strchr(text, '='), *open = strchr(text, '('), *close = strchr(text, ')');
  ck_assert(equal && open && close && equal < open);
  *equal = *open = *close = 0;
  char *outputs = trim(text);
  snprintf(output, 64, "%.*s", (int)strcspn(outputs, ","), outputs);
  each_input(graph, &node, open + 1, seen, n_seen);
  for (char *each = strtok(outputs, ", "); each; each = strtok(NULL, ", "))
    made_text(&node, 2, each);
  made_text(&node, 3, output);
  made_text(&node, 4, trim(equal + 1));
  char copy[256], *rest = copy, *each;
  snprintf(copy, sizeof copy, "%s", close + 1);
  while ((each = strsep(&rest, " ")))
    if (*each)
      attribute(&node, each);
  into(graph, 1, &node);
}

static void value_info(made_bytes *graph, int field, const char *name, const char *shape) {
  made_bytes info = {0}, type = {0}, tensor = {0}, sides = {0};
  char copy[64], *rest = copy, *each;
  snprintf(copy, sizeof copy, "%s", shape);
  while ((each = strsep(&rest, ","))) {
    made_bytes side = {0};
    if (*each != 'N')
      made_number(&side, 1, (uint64_t)atoi(each));
    into(&sides, 1, &side);
  }
  made_number(&tensor, 1, 1);
  into(&tensor, 2, &sides);
  into(&type, 1, &tensor);
  made_text(&info, 1, name);
  into(&info, 2, &type);
  into(graph, field, &info);
}

made_bytes made_onnx(int opset, const char *shape, const char *lines) {
  made_bytes model = {0}, graph = {0}, version = {0};
  char seen[64][64], output[64] = "", copy[4096], *rest = copy, *each;
  int n_seen = 0;
  noise = 0;
  ck_assert_uint_lt(strlen(lines), sizeof copy);
  strcpy(copy, lines);
  while ((each = strsep(&rest, "\n")))
    if (*trim(each))
      line(&graph, each, seen, &n_seen, output);
  value_info(&graph, 11, "x", shape);
  value_info(&graph, 12, output, "N,N");
  made_number(&model, 1, 8);
  made_text(&model, 2, "made_onnx");
  into(&model, 7, &graph);
  made_number(&version, 2, (uint64_t)opset);
  into(&model, 8, &version);
  return model;
}
