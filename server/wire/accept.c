/* accept.c - a small reader of Accept: media ranges, their q, the most exact range that names a
 * type decides. Flow: admit -> [accept] -> worker.   Thread: any. */
#include "accept.h"
#include <string.h>
#include <strings.h>

typedef struct offer {
  const char *type;
  int exactness; /* 0: unnamed, 1: by star/star, 2: by type/star, 3: itself */
  int quality;   /* thousandths */
} offer;

static int match(const char *range, size_t n, const char *type) {
  size_t n_type = strlen(type), slash = (size_t)(strchr(type, '/') - type);
  if (n == n_type && !strncasecmp(range, type, n))
    return 3;
  if (n == slash + 2 && !strncasecmp(range, type, slash + 1) && range[slash + 1] == '*')
    return 2;
  return n == 3 && !memcmp(range, "*/*", 3);
}

/* RFC 9110 section 12.4.2: "0" or "1", then at most a point and three digits, which after "1" are
 * zeros. In thousandths; 0 for what is no such number: it is no wish. */
static int read_qvalue(const char *text, size_t n) {
  if (n < 1 || n > 5 || (text[0] != '0' && text[0] != '1') || (n > 1 && text[1] != '.'))
    return 0;
  int value = text[0] - '0';
  for (size_t i = 2; i < 5; i++) {
    const char digit = i < n ? text[i] : '0';
    if (digit < '0' || digit > '9')
      return 0;
    value = 10 * value + digit - '0';
  }
  return value <= 1000 ? value : 0;
}

/* The q among the parameters parameters[0..n), in thousandths; 1000 if there is none. */
static int quality_of(const char *parameters, size_t n) {
  for (const char *at = parameters, *end = parameters + n; at < end;) {
    const char *next = memchr(at, ';', (size_t)(end - at));
    if (!next)
      next = end;
    const char *last = next;
    while (at < last && strchr(" \t", *at))
      at++;
    while (last > at && strchr(" \t", last[-1]))
      last--;
    if (last - at >= 2 && (at[0] == 'q' || at[0] == 'Q') && at[1] == '=')
      return read_qvalue(at + 2, (size_t)(last - at) - 2);
    at = next + 1;
  }
  return 1000;
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
      int quality = quality_of(range + n_range + (range[n_range] == ';'),
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
