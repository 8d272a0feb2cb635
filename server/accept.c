/* accept.c - a small reader of Accept: media ranges, their q, the most exact range that names a type decides. */
#include "accept.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct offer { const char *type; int exactness; double quality; } offer; /* exactness: 0 unnamed, 1 by star/star, 2 by type/star, 3 itself */

static int match(const char *range, size_t n, const char *type) {
  size_t n_type = strlen(type), slash = (size_t)(strchr(type, '/') - type);
  if (n == n_type && !strncasecmp(range, type, n)) return 3;
  if (n == slash + 2 && !strncasecmp(range, type, slash + 1) && range[slash + 1] == '*') return 2;
  return n == 3 && !memcmp(range, "*/*", 3) ? 1 : 0;
}

/* The q among the parameters parameters[0..n); 1 if there is none, 0 if it is not a number. */
static double quality_of(const char *parameters, size_t n) {
  for (const char *at = parameters, *end = parameters + n; at < end;) {
    const char *next = memchr(at, ';', (size_t)(end - at));
    if (!next) next = end;
    while (at < next && strchr(" \t", *at)) at++;
    if (next - at >= 3 && (at[0] == 'q' || at[0] == 'Q') && at[1] == '=') {
      char number[8] = "";
      size_t n_number = (size_t)(next - at) - 2;
      if (n_number > 7) n_number = 7;
      memcpy(number, at + 2, n_number);
      if (strspn(number, "01") < 1) return 0;
      double quality = strtod(number, NULL);
      return quality > 1 ? 1 : quality;
    }
    at = next + 1;
  }
  return 1;
}

accept_form accept_choose(const char *value) {
  if (!value || !value[strspn(value, " \t,")]) return ACCEPT_JSON;
  offer json = {"application/json", 0, 0}, png = {"image/png", 0, 0};
  offer *offers[] = {&json, &png};
  for (const char *at = value; *at;) {
    size_t n = strcspn(at, ","), spaces = strspn(at, " \t");
    if (spaces < n) {
      const char *range = at + spaces;
      size_t n_range = strcspn(range, ";, \t"), n_parameters = n - spaces - n_range;
      double quality = quality_of(range + n_range + (range[n_range] == ';'), n_parameters - (range[n_range] == ';'));
      for (int i = 0; i < 2; i++) {
        int exactness = match(range, n_range, offers[i]->type);
        if (exactness > offers[i]->exactness) *offers[i] = (offer){offers[i]->type, exactness, quality};
      }
    }
    at += n + (at[n] == ',');
  }
  if (json.quality <= 0 && png.quality <= 0) return ACCEPT_NEITHER;
  if (png.quality != json.quality) return png.quality > json.quality ? ACCEPT_PNG : ACCEPT_JSON;
  return png.exactness > json.exactness ? ACCEPT_PNG : ACCEPT_JSON;
}
