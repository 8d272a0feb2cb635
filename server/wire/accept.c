/* accept.c - a small reader of Accept: media ranges, their q, the most exact range that names a
 * type decides. Flow: admit -> [accept] -> worker.   Thread: any. */
#include "accept.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct offer {
  const char *type;
  int exactness; /* 0: unnamed, 1: by star/star, 2: by type/star, 3: itself */
  double quality;
} offer;

static int match(const char *range, size_t n, const char *type) {
  size_t n_type = strlen(type), slash = (size_t)(strchr(type, '/') - type);
  if (n == n_type && !strncasecmp(range, type, n))
    return 3;
  if (n == slash + 2 && !strncasecmp(range, type, slash + 1) && range[slash + 1] == '*')
    return 2;
  return n == 3 && !memcmp(range, "*/*", 3);
}

/* The q among the parameters parameters[0..n); 1 if there is none, 0 if it is not a number. */
static double quality_of(const char *parameters, size_t n) {
  for (const char *at = parameters, *end = parameters + n; at < end;) {
    const char *next = memchr(at, ';', (size_t)(end - at));
    if (!next)
      next = end;
    while (at < next && strchr(" \t", *at))
      at++;
    if (next - at >= 3 && (at[0] == 'q' || at[0] == 'Q') && at[1] == '=') {
      char number[8] = "";
      size_t n_number = (size_t)(next - at) - 2;
      if (n_number > 7)
        n_number = 7;
      memcpy(number, at + 2, n_number);
      if (strspn(number, "01") < 1)
        return 0;
      return fmin(strtod(number, NULL), 1);
    }
    at = next + 1;
  }
  return 1;
}

#define X(id, name, extension, type) type,
static const char *const picture_types[] = {CAM_PICTURES(X)};
#undef X
const char *accept_picture_type(cam_picture picture) { return picture_types[picture]; }

static bool better(const offer *a, const offer *b) {
  return a->quality > b->quality || (a->quality == b->quality && a->exactness > b->exactness);
}

accepted accept_choose(const char *value) {
  accepted chosen = {ACCEPT_JSON, CAM_PICTURE_PNG, 0};
  if (!value || !value[strspn(value, " \t,")])
    return chosen;
  offer offers[1 + CAM_PICTURE_COUNT] = {{"application/json", 0, 0}}, *pictures = offers + 1,
                   *best = offers;
  for (int i = 0; i < CAM_PICTURE_COUNT; i++)
    pictures[i].type = picture_types[i];
  for (const char *at = value; *at;) {
    size_t n = strcspn(at, ","), spaces = strspn(at, " \t");
    if (spaces < n) {
      const char *range = at + spaces;
      size_t n_range = strcspn(range, ";, \t"), n_parameters = n - spaces - n_range;
      double quality = quality_of(range + n_range + (range[n_range] == ';'),
                                  n_parameters - (range[n_range] == ';'));
      for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        int exactness = match(range, n_range, offers[i].type);
        if (exactness > offers[i].exactness)
          offers[i] = (offer){offers[i].type, exactness, quality};
      }
    }
    at += n + (at[n] == ',');
  }
  for (int i = 0; i < CAM_PICTURE_COUNT; i++) {
    if (pictures[i].quality > 0)
      chosen.pictures |= 1u << i;
    if (better(&pictures[i], &pictures[chosen.picture]))
      chosen.picture = (cam_picture)i;
    if (better(&pictures[i], best))
      best = &pictures[i];
  }
  if (best->quality <= 0)
    chosen.form = ACCEPT_NEITHER;
  else if (best != offers)
    chosen.form = ACCEPT_PICTURE;
  return chosen;
}
