/* target_parameters.c - lines of "name=value" as parameters of one request, of "name: value" as
 * headers: what is accepted is within its range. */
#include "base/whole.h"
#include "fuzz.h"
#include "http/cors.h"
#include "http/head.h"
#include "http/keys.h"
#include "http/proxies.h"
#include "wire/accept.h"
#include "wire/trace.h"
#include "work/job.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void check(const cam_params *p, int classes) {
  PROMISE(p->top_k >= 1 && p->top_k <= CAM_MAX_TOP_K && p->n_classes >= 0 &&
          p->n_classes <= CAM_MAX_CLASSES);
  for (int i = 0; i < p->n_classes; i++) {
    PROMISE(p->classes[i] >= 0 && p->classes[i] < classes);
    for (int k = 0; k < i; k++)
      PROMISE(p->classes[i] != p->classes[k]);
  }
  PROMISE(p->alpha >= 0 && p->alpha <= 1 && p->threshold <= 1 && !signbit(p->alpha) &&
          (p->threshold == cam_default_params.threshold || !signbit(p->threshold)));
  PROMISE(!p->has_minus || (p->minus >= 0 && p->minus < classes));
  PROMISE((unsigned)p->colormap < CAM_COLORMAP_COUNT && (unsigned)p->size < CAM_SIZE_COUNT &&
          (unsigned)p->picture < CAM_PICTURE_COUNT);
  PROMISE((unsigned)p->resize <= CAM_RESIZE_OF_MODEL && (unsigned)p->scale <= CAM_SCALE_OF_MODEL &&
          (unsigned)p->detail < CAM_DETAIL_COUNT && p->include < 16);
}

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

static void read_accept(const char *value) {
  accepted chosen = accept_choose(value);
  PROMISE((unsigned)chosen.form <= ACCEPT_NEITHER && (unsigned)chosen.picture < CAM_PICTURE_COUNT);
  PROMISE(chosen.form != ACCEPT_PICTURE || chosen.pictures >> chosen.picture & 1);
}

/* What is read is what the digits say. */
static void read_number(const char *value) {
  int64_t number = 77;
  char again[32];
  if (!whole_read(value, INT64_MIN, INT64_MAX, &number)) {
    PROMISE(number == 77);
    return;
  }
  const bool negative = *value == '-';
  value += negative;
  value += strspn(value, "0");
  snprintf(again, sizeof again, "%" PRId64, number);
  if (!*value)
    PROMISE(!number);
  else
    PROMISE((again[0] == '-') == negative && !strcmp(again + negative, value));
}

static void read_id(const char *value) {
  char id[REQUEST_ID_MAX + 1];
  request_id_set(id, value);
  PROMISE(id[0] && !id[strspn(id, plain)]);
}

static void read_trace(const char *value) {
  trace seen;
  const bool valid = trace_parse(value, &seen);
  PROMISE(strlen(seen.trace_id) == (valid ? 32 : 0) && strlen(seen.parent_id) == (valid ? 16 : 0));
  PROMISE(!seen.trace_id[strspn(seen.trace_id, "0123456789abcdef")] &&
          !seen.parent_id[strspn(seen.parent_id, "0123456789abcdef")]);
}

static void read_key(const char *value) {
  const char *given = keys_given(value, "key");
  PROMISE(given && (!strcmp(given, "key") || (given >= value && given <= value + strlen(value))));
}

/* As the setting and as the header: what the setting names is allowed. */
static void read_origin(const char *value) {
  struct cors *cors = NULL;
  cam_error error = {0};
  cam_code code = cors_open(value, &cors, &error);
  PROMISE(code == error.code && (!code || !cors));
  const char *allowed = cors ? cors_allow(cors, value) : NULL;
  PROMISE(!cors || allowed || value[strcspn(value, ", \t")]);
  cors_free(cors);
}

/* As the setting and as the header: whom a proxy names is believed only if that is trusted. */
static void read_forwarded(const char *value) {
  static const peer_address local = {{[15] = 1}};
  struct proxies *trusted = NULL, *named = NULL;
  cam_error error = {0};
  char text[PEER_TEXT];
  PROMISE(!proxies_open("::1, 10.0.0.0/8", &trusted, &error));
  const peer_address client = proxies_client(trusted, &local, value);
  peer_address_text(&client, text);
  PROMISE(*text && (!proxies_trust(trusted, &client) || !memcmp(&client, &local, sizeof local)));
  const cam_code code = proxies_open(value, &named, &error);
  PROMISE(!code || (code == error.code && !named));
  proxies_free(named);
  proxies_free(trusted);
}

/* A request target: what comes out is no longer, and a path stays one. */
static void read_target(const char *value) {
  char *text = strdup(value);
  const size_t n = strlen(text);
  PROMISE(head_unescape(text) == strlen(text) && strlen(text) <= n);
  const char *path = head_path(text);
  PROMISE(strlen(path) <= n + 1 && (*text != '/' || path == text));
  head_shorten_query(text);
  free(text);
}

static const struct {
  const char *name;
  void (*read)(const char *value);
} headers[] = {
    {"accept", read_accept},
    {"content-length", read_number},
    {"x-request-id", read_id},
    {"traceparent", read_trace},
    {"authorization", read_key},
    {"origin", read_origin},
    {"x-forwarded-for", read_forwarded},
    {"target", read_target},
};

static void run(const uint8_t *bytes, size_t n) {
  char *text = fuzz_text(bytes, n), *rest = text;
  request_params params;
  params_init(&params);
  for (char *line; (line = strsep(&rest, "\n"));) {
    char *value = line + strcspn(line, "=:"), separator = *value;
    if (!separator)
      continue;
    *value++ = 0;
    for (size_t i = 0; separator == ':' && i < sizeof headers / sizeof *headers; i++)
      if (!strcasecmp(line, headers[i].name))
        headers[i].read(value + strspn(value, " "));
    if (separator == '=') {
      cam_error error = {0};
      request_params before = params;
      const int row = params_find(line);
      const bool twice = params_given(&params, line) && !params_info(row)->repeats;
      cam_code code = params_set(&params, line, value, &error);
      if (!code)
        code = params_resolve(&params, fuzz_model(), &error);
      PROMISE(code == error.code && (!code || code == CAM_E_PARAMETER) && (!twice || code) &&
              (code || params_given(&params, line)));
      if (code)
        params = before; /* the request would be over */
    }
    check(&params.cam, cam_model_get_info(fuzz_model())->classes);
  }
  free(text);
}

const fuzz_target fuzz_parameters = {run, NULL};
