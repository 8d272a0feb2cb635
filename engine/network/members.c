/* members.c - members.h over cam_json.h. */
#include "members.h"
#include <math.h>
#include <string.h>

cam_code member_text(const members *m, const char *name, const char **out) {
  return json_get_text(m->object, name, out, CAM_E_MODEL, m->where, m->error);
}

cam_code member_int(const members *m, const char *name, int least, int most, int *out) {
  int64_t value;
  cam_code code = json_get_int(m->object, name, least, most, &value, CAM_E_MODEL, m->where,
                               m->error);
  if (!code)
    *out = (int)value;
  return code;
}

cam_code member_float(const members *m, const char *name, double least, double most, double *out) {
  return json_get_number(m->object, name, least, most, out, CAM_E_MODEL, m->where, m->error);
}

cam_code member_flag(const members *m, const char *name, bool *out) {
  const json *value = json_member(m->object, name);
  if (json_type_of(value) != JSON_BOOL)
    return cam_fail(m->error, CAM_E_MODEL, "%s: member \"%s\" must be true or false", m->where,
                    name);
  *out = json_bool(value);
  return CAM_OK;
}

cam_code member_ints(const members *m, const char *name, int n, int least, int most, int *out) {
  const json *array = json_member(m->object, name), *item = json_first(array);
  if (json_type_of(array) != JSON_ARRAY || json_count(array) != n)
    return cam_fail(m->error, CAM_E_MODEL, "%s: member \"%s\" must be an array of %d numbers",
                    m->where, name, n);
  for (int i = 0; i < n; i++, item = json_next(item)) {
    double value = json_number(item);
    if (json_type_of(item) != JSON_NUMBER || !(value >= least && value <= most) ||
        value != floor(value))
      return cam_fail(m->error, CAM_E_MODEL,
                      "%s: member \"%s\": number %d must be whole, from %d to %d", m->where, name,
                      i + 1, least, most);
    out[i] = (int)value;
  }
  return CAM_OK;
}

cam_code member_floats(const members *m, const char *name, float out[3]) {
  const json *array = json_member(m->object, name), *item = json_first(array);
  if (json_count(array) != 3)
    return cam_fail(m->error, CAM_E_MODEL, "%s: member \"%s\" must be an array of 3 numbers",
                    m->where, name);
  for (int i = 0; i < 3; i++, item = json_next(item)) {
    out[i] = (float)json_number(item);
    if (json_type_of(item) != JSON_NUMBER || !(fabsf(out[i]) <= 1e6f))
      return cam_fail(m->error, CAM_E_MODEL,
                      "%s: member \"%s\": number %d must be from -1e6 to 1e6", m->where, name,
                      i + 1);
  }
  return CAM_OK;
}

cam_code member_word(const members *m, const char *name, const char *const *words, int count,
                     int *out) {
  const char *text = NULL;
  cam_code code = member_text(m, name, &text);
  if (code)
    return code;
  for (*out = 0; *out < count; ++*out)
    if (!strcmp(words[*out], text))
      return CAM_OK;
  return cam_fail(m->error, CAM_E_MODEL, "%s: member \"%s\" is \"%.40s\", which is unknown",
                  m->where, name, text);
}
