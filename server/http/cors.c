/* cors.c - a list of origins, compared byte by byte as the Fetch standard wants it (section 3.3.5,
 * CORS check). Flow: admit -> [cors] -> http. An origin that no browser would ever send is refused
 * at start: it would be there to no purpose, and nobody would know why. */
#include "cors.h"
#include <stdlib.h>
#include <string.h>

struct cors {
  bool any;
  int n;
  const char *origins[CORS_ORIGINS];
  char text[]; /* the list, cut into them */
};

#define SMALL "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* Of a name, or of an address in brackets; 0: it is neither. */
static size_t host_length(const char *host) {
  if (*host != '[')
    return strspn(host, SMALL DIGITS ".-_");
  const size_t n = 1 + strspn(host + 1, ":.abcdef" DIGITS);
  return host[n] == ']' ? n + 1 : 0;
}

/* What is wrong with an origin; NULL: nothing. scheme "://" host [":" port], in lower case, without
 * the scheme's own port: RFC 6454 section 6.2. */
static const char *fault_of(const char *origin) {
  if (!*origin)
    return "an empty origin";
  if (!strcmp(origin, "*"))
    return "* is for all origins and stands alone";
  if (!strcmp(origin, "null"))
    return "null is what every sandboxed page sends, whoever made it";
  size_t scheme = strspn(origin, SMALL DIGITS "+-.");
  if (!scheme || strncmp(origin + scheme, "://", 3))
    return "an origin is like https://example.org, in lower case";
  const char *host = origin + scheme + 3;
  size_t n = host_length(host);
  const char *port = host + n;
  if (!n)
    return "an origin has a host, in lower case";
  if (!*port)
    return NULL;
  if (*port != ':')
    return "an origin ends after host and port, without a slash";
  n = strspn(port + 1, DIGITS);
  if (n < 1 || n > 5 || port[1 + n])
    return "an origin ends after host and port, without a slash";
  bool default_port = (!strcmp(port, ":443") && !strncmp(origin, "https:", 6)) ||
                      (!strcmp(port, ":80") && !strncmp(origin, "http:", 5));
  return default_port ? "browsers leave the scheme's own port away" : NULL;
}

cam_code cors_open(const char *list, struct cors **out, cam_error *error) {
  *out = NULL;
  if (!*list)
    return CAM_OK;
  struct cors *cors = calloc(1, sizeof *cors + strlen(list) + 1);
  if (!cors)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the list of origins");
  strcpy(cors->text, list);
  cors->any = !strcmp(list, "*");
  cam_code code = CAM_OK;
  for (char *rest = cors->any ? NULL : cors->text; rest && !code;) {
    char *origin = strsep(&rest, ",");
    origin += strspn(origin, " \t");
    size_t n = strlen(origin);
    while (n && strchr(" \t", origin[n - 1]))
      origin[--n] = 0;
    const char *fault = fault_of(origin);
    if (fault)
      code = cam_fail(error, CAM_E_PARAMETER, "cors: \"%.60s\": %s", origin, fault);
    else if (cors->n == CORS_ORIGINS)
      code = cam_fail(error, CAM_E_PARAMETER, "cors: more than %d origins", CORS_ORIGINS);
    else
      cors->origins[cors->n++] = origin;
  }
  if (code)
    free(cors);
  else
    *out = cors;
  return code;
}

void cors_free(struct cors *cors) { free(cors); }

const char *cors_allow(const struct cors *cors, const char *origin) {
  if (!cors)
    return NULL;
  /* Without an Origin too: the answer is then the same for all and needs no Vary (Fetch, "CORS
   * protocol and HTTP caches"). */
  if (cors->any)
    return "*";
  for (int i = 0; origin && i < cors->n; i++)
    if (!strcmp(cors->origins[i], origin))
      return cors->origins[i];
  return NULL;
}

bool cors_varies(const struct cors *cors) { return cors && !cors->any; }
