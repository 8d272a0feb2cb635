/* target_kserve.c - "predict", "explain", "infer" or "infer N" up to the first line break, and
 * after it a body of KServe's: JSON, and behind a NUL, which goes, binary data. N: what the request
 * says that the JSON's length is. What is read is answered with a made result. */
#include "cam_json.h"
#include "fuzz.h"
#include "kserve/kserve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t picture[] = "\"AAAA\"";

/* As the engine would, whatever the photos are. */
static void make_results(const request_params *params, const cam_model_info *model, cam_task *tasks,
                         int n) {
  for (int i = 0; i < n; i++) {
    cam_result *result = &tasks[i].result;
    tasks[i].params = &params->cam;
    result->count = params->cam.top_k;
    for (int k = 0; k < result->count; k++) {
      cam_prediction *one = &result->predictions[k];
      *one = (cam_prediction){.rank = k + 1,
                              .class_id = (i + k) % model->classes,
                              .probability = 0.5F,
                              .box = {.x = i, .width = k, .height = k}};
      if (params->cam.include & CAM_INCLUDE_OVERLAY)
        one->overlay = (cam_bytes){picture, sizeof picture - 1};
    }
  }
}

/* Bytes behind the JSON, as its tensors say. */
static size_t tail_of(const json *tree) {
  double sum = 0;
  const json *outputs = json_member(tree, "outputs");
  for (const json *one = json_first(outputs); one; one = json_next(one))
    sum += json_number(json_member(json_member(one, "parameters"), "binary_data_size"));
  return (size_t)sum;
}

static void answer(const protocol *spoken, const request_params *params,
                   const request_photos *photos) {
  static cam_task tasks[CAM_MAX_TASKS];
  const cam_model_info *model = cam_model_get_info(fuzz_model());
  const protocol_facts facts = {
      .model = model, .request_id = "id", .tasks = tasks, .n = photos->n, .asked = photos->asked};
  protocol_reply reply;
  cam_error error = {0};
  memset(tasks, 0, sizeof tasks);
  make_results(params, model, tasks, photos->n);
  PROMISE(!spoken->judge(tasks, photos->n, &error));
  PROMISE(spoken->reply(&facts, &reply));
  size_t n_json = reply.n;
  if (reply.n_json)
    n_json = reply.n_json;
  json *tree = json_parse(reply.bytes, n_json, CAM_E_BODY, &error);
  PROMISE(tree && tail_of(tree) == reply.n - n_json);
  json_free(tree);
  free(reply.bytes);
}

static bool lies_within(const uint8_t *bytes, size_t n, const uint8_t *begin, size_t room) {
  return begin && bytes >= begin && n <= room && bytes + n <= begin + room;
}

static void read_and_answer(const protocol *spoken, const protocol_body *body) {
  request_params params;
  request_photos photos;
  cam_error error = {0};
  params_init(&params);
  const cam_code code = spoken->read(body, &params, &photos, &error);
  PROMISE(code == error.code && (code || (photos.n >= 1 && photos.n <= CAM_MAX_TASKS)));
  for (int i = 0; i < photos.n && !code; i++) {
    const uint8_t *at = photos.photos[i].bytes;
    const size_t n = photos.photos[i].n;
    PROMISE(n && (lies_within(at, n, body->bytes, body->n) ||
                  lies_within(at, n, photos.decoded, photos.n_decoded)));
  }
  if (!code)
    answer(spoken, &params, &photos);
  request_photos_free(&photos);
}

static void run(const uint8_t *bytes, size_t n) {
  const uint8_t *line = memchr(bytes, '\n', n);
  char path[32], verb[8] = "";
  long long length = -1;
  if (!line)
    return;
  char *words = fuzz_text(bytes, (size_t)(line - bytes));
  const int found = sscanf(words, "%7s %lld", verb, &length);
  free(words);
  if (found < 1)
    return;
  snprintf(path, sizeof path, strcmp(verb, "infer") ? "/v1/models/m:%s" : "/v2/models/m/%s", verb);
  const protocol *spoken = kserve_protocol(path);
  if (!spoken || !spoken->read || length < -1)
    return;
  const size_t begin = (size_t)(line + 1 - bytes);
  const uint8_t *end = memchr(line + 1, 0, n - begin);
  uint8_t *copy = malloc(n - begin + 1);
  PROMISE(copy);
  protocol_body body = {NULL, copy, n - begin, length};
  memcpy(copy, line + 1, n - begin);
  if (end) {
    const size_t n_json = (size_t)(end - line - 1);
    body.n--;
    memmove(copy + n_json, copy + n_json + 1, body.n - n_json);
    if (length < 0)
      body.n_json = (int64_t)n_json;
  }
  read_and_answer(spoken, &body);
  free(copy);
}

const fuzz_target fuzz_kserve = {run, fuzz_mutate_json};
