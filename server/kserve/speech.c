/* speech.c - speech.h. Flow: worker, http -> [speech] -> request_photos, problem.   Thread: worker;
 * any, for errors. */
#include "speech.h"
#include "wire/problem.h"

const protocol speech_errors = {SPEECH_ERRORS};

json *speech_parse(const uint8_t *bytes, size_t n, cam_error *error) {
  json *tree = json_parse((const char *)bytes, n, CAM_E_BODY, error);
  if (!tree || json_type_of(tree) == JSON_OBJECT)
    return tree;
  cam_fail(error, CAM_E_BODY, "JSON: not an object");
  json_free(tree);
  return NULL;
}

const json *speech_member(const json *object, const char *name) {
  const json *value = json_member(object, name);
  if (value && json_type_of(value) == JSON_NULL)
    return NULL;
  return value;
}

cam_code speech_check_count(int n, const char *name, cam_error *error) {
  if (n >= 1 && n <= CAM_MAX_TASKS)
    return CAM_OK;
  return cam_fail(error, CAM_E_BODY, "%s: %d photos; allowed are 1 to %d", name, n, CAM_MAX_TASKS);
}

cam_code speech_photos(const json *list, const char *(*text_of)(const json *item), const char *name,
                       request_photos *photos, cam_error *error) {
  const char *texts[CAM_MAX_TASKS];
  int n = 0;
  cam_code code = speech_check_count(json_count(list), name, error);
  if (code)
    return code;
  for (const json *item = json_first(list); item; item = json_next(item)) {
    texts[n] = text_of(item);
    if (!texts[n])
      return cam_fail(error, CAM_E_BODY, "%s[%d]: no base64 string in it", name, n);
    n++;
  }
  return request_photos_read(texts, n, name, true, photos, error);
}

cam_code speech_judge(const cam_task *tasks, int n, const char *name, cam_error *error) {
  for (int i = 0; i < n; i++) {
    const cam_error *why = &tasks[i].error;
    if (!why->code)
      continue;
    cam_fail(error, why->code, "%s[%d]: %s", name, i, why->detail);
    error->stage = why->stage;
    return why->code;
  }
  return CAM_OK;
}

int speech_status(cam_code code) {
  const int status = problem_status(code);
  if (status == 415 || status == 422)
    return 400;
  return status;
}

char *speech_problem(const cam_error *error, const char *request_id, size_t *n) {
  (void)request_id; /* a header has it */
  json *tree = json_new_object();
  const char *what = error->detail;
  if (!*what)
    what = cam_code_text(error->code);
  json_add_text(tree, "error", what);
  char *text = json_print(tree, true, n);
  json_free(tree);
  return text;
}
