/* v2.c - the body of V2's infer: JSON that describes one tensor of photos, and its data in there as
 * base64 or behind it as bytes. Flow: worker -> [v2] -> speech, v2_outputs.   Thread: worker. */
#include "v2.h"
#include "speech.h"
#include "v2_outputs.h"
#include "wire/json_params.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct infer_body {
  const json *tree;
  const uint8_t *tail; /* [n_tail] what follows the JSON */
  size_t n_tail;
  request_params *params;
  request_photos *photos;
  cam_error *error;
} infer_body;

/* A member that is true or false; *out stays where there is none. */
static cam_code read_flag_of(const json *object, const char *name, bool *out, cam_error *error) {
  const json *value = json_member(object, name);
  if (!value)
    return CAM_OK;
  if (json_type_of(value) != JSON_BOOL)
    return cam_fail(error, CAM_E_BODY, "%s: neither true nor false", name);
  *out = json_bool(value);
  return CAM_OK;
}

/* ---- parameters ---- */

/* The object under "parameters"; *out is NULL where there is none. */
static cam_code read_inner(const json *object, const json **out, cam_error *error) {
  *out = speech_member(object, "parameters");
  if (*out && json_type_of(*out) != JSON_OBJECT)
    return cam_fail(error, CAM_E_BODY, "parameters: not an object");
  return CAM_OK;
}

static const char all_binary[] = "binary_data_output"; /* the protocol's, beside those of /cam */

static cam_code read_parameters(const infer_body *b) {
  const json *object;
  cam_code code = read_inner(b->tree, &object, b->error);
  for (const json *member = json_first(object); member && !code; member = json_next(member))
    if (strcmp(json_name(member), all_binary))
      code = json_params_set(b->params, member, b->error);
  if (!code && params_given(b->params, "classes"))
    code = cam_fail(b->error, CAM_E_PARAMETER,
                    "classes: not with infer, whose rows are of one length; :explain takes it");
  return code;
}

/* ---- outputs ---- */

static cam_code read_output(const json *item, bool binary, v2_asked *asked, cam_error *error) {
  const char *name;
  const json *inner = NULL;
  cam_code code = json_get_text(item, "name", &name, CAM_E_BODY, "outputs", error);
  if (!code)
    code = read_inner(item, &inner, error);
  if (code)
    return code;
  const v2_output output = v2_output_find(name);
  if (output == V2_OUTPUT_COUNT)
    return cam_fail(error, CAM_E_BODY,
                    "outputs: \"%.40s\"; there are class_id, label, probability, box and overlay",
                    name);
  code = read_flag_of(inner, "binary_data", &binary, error);
  asked->outputs |= 1u << output;
  if (binary)
    asked->binary |= 1u << output;
  return code;
}

/* All, where none is chosen; but no overlay where `include` is given without. */
static void choose_outputs(const infer_body *b, bool binary, v2_asked *asked) {
  asked->outputs = V2_ALL;
  if (!(b->params->cam.include & CAM_INCLUDE_OVERLAY))
    asked->outputs &= ~(1u << V2_OVERLAY);
  if (binary)
    asked->binary = asked->outputs;
}

static cam_code read_outputs(const infer_body *b, v2_asked *asked) {
  const json *list = speech_member(b->tree, "outputs");
  bool binary = false;
  cam_code code = read_flag_of(speech_member(b->tree, "parameters"), all_binary, &binary, b->error);
  if (list && json_type_of(list) != JSON_ARRAY)
    return cam_fail(b->error, CAM_E_BODY, "outputs: not a list");
  for (const json *item = json_first(list); item && !code; item = json_next(item))
    code = read_output(item, binary, asked, b->error);
  if (!asked->outputs)
    choose_outputs(b, binary, asked);
  return code;
}

static cam_code read_asked(const infer_body *b) {
  const json *id = speech_member(b->tree, "id");
  const char *text = "";
  if (id && json_type_of(id) != JSON_STRING)
    return cam_fail(b->error, CAM_E_BODY, "id: not a string");
  if (id)
    text = json_text(id);
  v2_asked *asked = calloc(1, sizeof *asked + strlen(text) + 1);
  if (!asked)
    return cam_fail(b->error, CAM_E_NO_MEMORY, "no memory for the outputs");
  strcpy(asked->id, text);
  b->photos->asked = asked;
  const cam_code code = read_outputs(b, asked);
  cam_params *cam = &b->params->cam;
  cam->include = 0;
  if (asked->outputs >> V2_OVERLAY & 1)
    cam->include = CAM_INCLUDE_OVERLAY;
  return code;
}

/* ---- the input ---- */

static cam_code find_input(const infer_body *b, const json **out) {
  const json *list = json_member(b->tree, "inputs");
  const char *name, *type;
  if (!list || json_type_of(list) != JSON_ARRAY)
    return cam_fail(b->error, CAM_E_BODY, "inputs: missing, or not a list");
  if (json_count(list) != 1)
    return cam_fail(b->error, CAM_E_BODY, "inputs: %d tensors; one is wanted, %s", json_count(list),
                    V2_INPUT);
  *out = json_first(list);
  cam_code code = json_get_text(*out, "name", &name, CAM_E_BODY, "inputs", b->error);
  if (!code && strcmp(name, V2_INPUT))
    code = cam_fail(b->error, CAM_E_BODY, "inputs: \"%.40s\"; the one there is is called %s", name,
                    V2_INPUT);
  if (!code)
    code = json_get_text(*out, "datatype", &type, CAM_E_BODY, V2_INPUT, b->error);
  if (!code && strcmp(type, "BYTES"))
    code = cam_fail(b->error, CAM_E_BODY, V2_INPUT ": datatype %.40s; BYTES is wanted", type);
  return code;
}

/* As "[2, 1]", cut where it is long. */
static const char *shape_text(const json *shape, char *out, size_t room) {
  size_t used = (size_t)snprintf(out, room, "[");
  for (const json *one = json_first(shape); one && used < room - 24; one = json_next(one))
    used += (size_t)snprintf(out + used, room - used, "%s%.6g", used > 1 ? ", " : "",
                             json_number(one));
  snprintf(out + used, room - used, "]");
  return out;
}

/* How many photos the shape says there are, whatever it is. */
static cam_code read_count(const json *input, double *out, cam_error *error) {
  const json *shape = json_member(input, "shape");
  char text[64];
  if (!shape || json_type_of(shape) != JSON_ARRAY)
    return cam_fail(error, CAM_E_BODY, V2_INPUT ": shape: missing, or not a list");
  const json *first = json_first(shape);
  if (json_count(shape) != 1 || json_type_of(first) != JSON_NUMBER)
    return cam_fail(error, CAM_E_BODY, V2_INPUT ": shape %s; [n] is wanted, for n photos",
                    shape_text(shape, text, sizeof text));
  *out = json_number(first);
  return CAM_OK;
}

static cam_code compare_shape(double said, int there, cam_error *error) {
  if (said == there)
    return CAM_OK;
  return cam_fail(error, CAM_E_BODY, V2_INPUT ": shape [%.6g], but there are %d photos", said,
                  there);
}

static const char *text_of_item(const json *item) {
  return json_type_of(item) == JSON_STRING ? json_text(item) : NULL;
}

static cam_code read_data(const infer_body *b, const json *data, double said) {
  if (json_type_of(data) != JSON_ARRAY)
    return cam_fail(b->error, CAM_E_BODY, V2_INPUT ": data is not a list");
  if (b->n_tail)
    return cam_fail(b->error, CAM_E_BODY, "%zu bytes behind the JSON, which no tensor has",
                    b->n_tail);
  cam_code code = compare_shape(said, json_count(data), b->error);
  if (!code)
    code = speech_photos(data, text_of_item, V2_INPUT, b->photos, b->error);
  return code;
}

/* Four bytes of length, little endian, then so many bytes; and again. */
static cam_code read_tail(const infer_body *b, double said) {
  const uint8_t *at = b->tail;
  size_t left = b->n_tail;
  int n = 0;
  while (left) {
    uint32_t length = 0;
    if (left >= sizeof length)
      length = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
               (uint32_t)at[3] << 24;
    if (left < sizeof length || length > left - sizeof length)
      return cam_fail(b->error, CAM_E_BODY, V2_INPUT "[%d]: its length is %u, but %zu bytes follow",
                      n, length, left > sizeof length ? left - sizeof length : 0);
    if (!length)
      return cam_fail(b->error, CAM_E_BODY, V2_INPUT "[%d]: empty; a photo is wanted", n);
    at += sizeof length;
    if (n < CAM_MAX_TASKS) {
      b->photos->photos[n].bytes = at;
      b->photos->photos[n].n = length;
    }
    n++;
    at += length;
    left -= sizeof length + length;
  }
  cam_code code = speech_check_count(n, V2_INPUT, b->error);
  if (!code)
    code = compare_shape(said, n, b->error);
  if (!code)
    b->photos->n = n;
  return code;
}

static cam_code read_image(const infer_body *b) {
  const json *input = NULL, *inner = NULL;
  double said = 0;
  cam_code code = find_input(b, &input);
  if (!code)
    code = read_count(input, &said, b->error);
  if (!code)
    code = read_inner(input, &inner, b->error);
  if (code)
    return code;
  const json *data = json_member(input, "data");
  const json *size = json_member(inner, "binary_data_size");
  if (data && size)
    return cam_fail(b->error, CAM_E_BODY, V2_INPUT ": data and binary_data_size; one is wanted");
  if (data)
    return read_data(b, data, said);
  if (!size)
    return cam_fail(b->error, CAM_E_BODY, V2_INPUT ": neither data nor binary_data_size");
  if (json_type_of(size) != JSON_NUMBER || json_number(size) != (double)b->n_tail)
    return cam_fail(b->error, CAM_E_BODY,
                    V2_INPUT ": binary_data_size %.15g, but %zu bytes are behind the JSON "
                             "(Inference-Header-Content-Length says where it ends)",
                    json_number(size), b->n_tail);
  return read_tail(b, said);
}

static cam_code read_v2(const protocol_body *body, request_params *params, request_photos *photos,
                        cam_error *error) {
  size_t n_json = body->n;
  *photos = (request_photos){0};
  if (body->n_json >= 0)
    n_json = (size_t)body->n_json;
  if (n_json > body->n)
    return cam_fail(error, CAM_E_BODY, "Inference-Header-Content-Length: %zu; the body has %zu",
                    n_json, body->n);
  json *tree = speech_parse(body->bytes, n_json, error);
  if (!tree)
    return error->code;
  const infer_body b = {tree, body->bytes + n_json, body->n - n_json, params, photos, error};
  cam_code code = read_parameters(&b);
  if (!code)
    code = read_asked(&b);
  if (!code)
    code = read_image(&b);
  json_free(tree);
  return code;
}

static cam_code judge_v2(const cam_task *tasks, int n, cam_error *error) {
  return speech_judge(tasks, n, V2_INPUT, error);
}

const protocol v2_infer = {.read = read_v2, .judge = judge_v2, .reply = v2_reply, SPEECH_ERRORS};
