/* v1.c - KServe's V1: {"instances": [X, ...], "parameters": {...}} -> photos and parameters; tasks
 * -> {"predictions": [...]}, and for :explain "explanations" beside it. Flow: worker -> [v1] ->
 * speech.   Thread: worker. */
#include "v1.h"
#include "speech.h"
#include "wire/json_params.h"

/* "<base64>" or {"b64": "<base64>"}; NULL: neither. */
static const char *encoded_text(const json *value) {
  const json *inside = json_member(value, "b64");
  if (inside)
    value = inside;
  if (!value || json_type_of(value) != JSON_STRING)
    return NULL;
  return json_text(value);
}

/* Or {NAME: either}, whatever else is in there. */
static const char *text_of_instance(const json *item) {
  static const char *const names[] = {"image_bytes", "image", "data", "input", "body"};
  const char *text = encoded_text(item);
  for (size_t i = 0; !text && i < sizeof names / sizeof *names; i++)
    text = encoded_text(json_member(item, names[i]));
  return text;
}

static cam_code set_parameters(request_params *params, const json *object, cam_error *error) {
  cam_code code = CAM_OK;
  if (object && json_type_of(object) != JSON_OBJECT)
    return cam_fail(error, CAM_E_BODY, "parameters: not an object");
  for (const json *member = json_first(object); member && !code; member = json_next(member))
    code = json_params_set(params, member, error);
  return code;
}

static cam_code read_instances(const json *tree, request_photos *photos, cam_error *error) {
  const json *instances = json_member(tree, "instances"), *inputs = json_member(tree, "inputs");
  if (instances && inputs)
    return cam_fail(error, CAM_E_BODY, "instances and inputs; one of them is wanted");
  if (!instances && !inputs)
    return cam_fail(error, CAM_E_BODY, "instances: missing; a list of photos in base64 is wanted");
  const json *list = instances ? instances : inputs;
  const char *name = json_name(list);
  if (json_type_of(list) != JSON_ARRAY)
    return cam_fail(error, CAM_E_BODY, "%s: not a list; [{\"b64\": \"<base64>\"}] is wanted", name);
  return speech_photos(list, text_of_instance, name, photos, error);
}

static cam_code read_v1(const protocol_body *body, request_params *params, request_photos *photos,
                        cam_error *error) {
  *photos = (request_photos){0};
  json *tree = speech_parse(body->bytes, body->n, error);
  if (!tree)
    return error->code;
  cam_code code = set_parameters(params, speech_member(tree, "parameters"), error);
  if (!code)
    code = read_instances(tree, photos, error);
  json_free(tree);
  return code;
}

/* Numbers alone, whatever `include` says. */
static cam_code read_predict(const protocol_body *body, request_params *params,
                             request_photos *photos, cam_error *error) {
  const cam_code code = read_v1(body, params, photos, error);
  params->cam.include = 0;
  return code;
}

static cam_code judge_v1(const cam_task *tasks, int n, cam_error *error) {
  return speech_judge(tasks, n, "instances", error);
}

static void add_label(json *item, const cam_class *class, const cam_prediction *prediction,
                      bool with_wnid) {
  json_add_int(item, "class_id", prediction->class_id);
  if (with_wnid && *class->wnid)
    json_add_text(item, "wnid", class->wnid);
  json_add_text(item, "label", class->label);
  json_add_number(item, "probability", prediction->probability);
}

static void add_predictions(json *list, const cam_model_info *model, const cam_result *result) {
  const cam_prediction *first = result->predictions;
  json *item = json_add_object(list, NULL);
  add_label(item, &model->class_list[first->class_id], first, false);
  json *top = json_add_array(item, "top");
  for (const cam_prediction *one = first; one < first + result->count; one++)
    add_label(json_add_object(top, NULL), &model->class_list[one->class_id], one, true);
}

static bool print_v1(json *tree, protocol_reply *out) {
  *out = (protocol_reply){.type = "application/json"};
  out->bytes = json_print(tree, true, &out->n);
  json_free(tree);
  return out->bytes;
}

static json *predictions_tree(const protocol_facts *facts) {
  json *tree = json_new_object(), *list = json_add_array(tree, "predictions");
  for (int i = 0; i < facts->n; i++)
    add_predictions(list, facts->model, &facts->tasks[i].result);
  return tree;
}

static bool reply_predict(const protocol_facts *facts, protocol_reply *out) {
  return print_v1(predictions_tree(facts), out);
}

static bool reply_explain(const protocol_facts *facts, protocol_reply *out) {
  json *tree = predictions_tree(facts), *list = json_add_array(tree, "explanations");
  for (int i = 0; i < facts->n; i++)
    reply_add_predictions(json_add_array(list, NULL), facts->model, &facts->tasks[i]);
  return print_v1(tree, out);
}

const protocol v1_predict = {
    .read = read_predict, .judge = judge_v1, .reply = reply_predict, SPEECH_ERRORS};
const protocol v1_explain = {
    .read = read_v1, .judge = judge_v1, .reply = reply_explain, SPEECH_ERRORS};
