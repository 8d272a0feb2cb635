/* json_params.c - json_params.h. Flow: request, kserve -> [json_params] -> params.   Thread: any.
 */
#include "json_params.h"
#include <stdio.h>
#include <string.h>

/* before, then a string or a number as text. */
static cam_code append_value(const json *value, const char *name, const char *before, char *out,
                             size_t room, cam_error *error) {
  int n;
  switch (json_type_of(value)) {
  case JSON_STRING:
    n = snprintf(out, room, "%s%s", before, json_text(value));
    break;
  case JSON_NUMBER:
    n = snprintf(out, room, "%s%.9g", before, json_number(value));
    break;
  default:
    return cam_fail(error, CAM_E_PARAMETER, "%.40s: neither a string nor a number", name);
  }
  if (n < 0 || (size_t)n >= room)
    return cam_fail(error, CAM_E_PARAMETER, "%.40s: more than %d characters", name,
                    PARAM_VALUE_MAX);
  return CAM_OK;
}

/* A string or a number, and for the parameters that are lists an array of these, as the text that
 * the query would carry: ["map", "heatmap"] -> map,heatmap. */
static cam_code json_value(const json *member, char *out, size_t room, cam_error *error) {
  const char *name = json_name(member);
  const int row = params_find(name);
  bool array = json_type_of(member) == JSON_ARRAY && row >= 0 && params_info(row)->list;
  if (!array)
    return append_value(member, name, "", out, room, error);
  const char *before = "";
  out[0] = '\0';
  for (const json *value = json_first(member); value; value = json_next(value)) {
    const size_t used = strlen(out);
    cam_code code = append_value(value, name, before, out + used, room - used, error);
    if (code)
      return code;
    if (*out)
      before = ",";
  }
  return CAM_OK;
}

/* An array, not empty, as the value of a parameter that may be given again. */
static bool is_repeated(const json *member) {
  const int row = params_find(json_name(member));
  return json_type_of(member) == JSON_ARRAY && json_first(member) && row >= 0 &&
         params_info(row)->repeats;
}

static cam_code set_member(request_params *params, const json *member, cam_error *error) {
  char value[PARAM_VALUE_MAX + 1];
  cam_code code = json_value(member, value, sizeof value, error);
  if (!code)
    code = params_set(params, json_name(member), value, error);
  return code;
}

/* Of an array of what may be given again each element is given: a label may have commas. */
static cam_code set_each(request_params *params, const json *array, cam_error *error) {
  const char *name = json_name(array);
  cam_code code = CAM_OK;
  for (const json *item = json_first(array); item && !code; item = json_next(item)) {
    char value[PARAM_VALUE_MAX + 1];
    code = append_value(item, name, "", value, sizeof value, error);
    if (!code)
      code = params_set(params, name, value, error);
  }
  return code;
}

cam_code json_params_set(request_params *params, const json *member, cam_error *error) {
  if (is_repeated(member))
    return set_each(params, member, error);
  return set_member(params, member, error);
}
