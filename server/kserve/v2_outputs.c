/* v2_outputs.c - v2_outputs.h. Flow: engine -> [v2_outputs] -> worker.   Thread: worker; any, for
 * what is told of a model.
 * A value goes to one of two places: into the JSON of its tensor, or behind all JSON as bytes,
 * little endian, texts and pictures after their length in four bytes (the binary tensor data
 * extension of the protocol). */
#include "v2_outputs.h"
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

typedef struct place {
  json *data; /* an array; NULL: bytes are wanted */
  FILE *tail;
  size_t n; /* bytes of this tensor so far */
} place;

static void put_raw(place *to, const void *bytes, size_t n) {
  fwrite(bytes, 1, n, to->tail);
  to->n += n;
}

static void put_word(place *to, uint32_t value) {
  const uint32_t word = htole32(value);
  put_raw(to, &word, sizeof word);
}

static void put_whole(place *to, int value) {
  if (to->data)
    json_add_int(to->data, NULL, value);
  else
    put_word(to, (uint32_t)value);
}

static void put_real(place *to, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (to->data)
    json_add_number(to->data, NULL, value);
  else
    put_word(to, bits);
}

static void put_string(place *to, const char *text) {
  const size_t n = strlen(text);
  if (to->data) {
    json_add_text(to->data, NULL, text);
    return;
  }
  put_word(to, (uint32_t)n);
  put_raw(to, text, n);
}

/* In JSON in base64. */
static void put_picture(place *to, const cam_bytes *picture) {
  if (to->data) {
    json_add_base64(to->data, NULL, picture->data, picture->size);
    return;
  }
  put_word(to, (uint32_t)picture->size);
  put_raw(to, picture->data, picture->size);
}

/* ---- the tensors, a table ---- */

static void put_class_id(place *to, const cam_class *class, const cam_prediction *prediction) {
  (void)class;
  put_whole(to, prediction->class_id);
}
static void put_label(place *to, const cam_class *class, const cam_prediction *prediction) {
  (void)prediction;
  put_string(to, class->label);
}
static void put_probability(place *to, const cam_class *class, const cam_prediction *prediction) {
  (void)class;
  put_real(to, prediction->probability);
}
/* No box at all is 0, 0, 0, 0. */
static void put_box(place *to, const cam_class *class, const cam_prediction *prediction) {
  const cam_box *box = &prediction->box;
  (void)class;
  put_whole(to, box->x);
  put_whole(to, box->y);
  put_whole(to, box->width);
  put_whole(to, box->height);
}
static void put_overlay(place *to, const cam_class *class, const cam_prediction *prediction) {
  (void)class;
  put_picture(to, &prediction->overlay);
}

static const struct {
  const char *name, *type;
  int values; /* of a label, where they are a dimension of their own; else 0 */
  void (*put)(place *to, const cam_class *class, const cam_prediction *prediction);
} tensors[V2_OUTPUT_COUNT] = {
    [V2_CLASS_ID] = {"class_id", "INT32", 0, put_class_id},
    [V2_LABEL] = {"label", "BYTES", 0, put_label},
    [V2_PROBABILITY] = {"probability", "FP32", 0, put_probability},
    [V2_BOX] = {"box", "INT32", 4, put_box},
    [V2_OVERLAY] = {"overlay", "BYTES", 0, put_overlay},
};

v2_output v2_output_find(const char *name) {
  int i = 0;
  while (i < V2_OUTPUT_COUNT && strcmp(tensors[i].name, name))
    i++;
  return (v2_output)i;
}

static json *begin_tensor(json *list, const char *name, const char *type) {
  json *tensor = json_add_object(list, NULL);
  json_add_text(tensor, "name", name);
  json_add_text(tensor, "datatype", type);
  return tensor;
}

static json *add_output(json *list, int output, int photos, int labels) {
  json *tensor = begin_tensor(list, tensors[output].name, tensors[output].type);
  json *shape = json_add_array(tensor, "shape");
  json_add_int(shape, NULL, photos);
  json_add_int(shape, NULL, labels);
  if (tensors[output].values)
    json_add_int(shape, NULL, tensors[output].values);
  return tensor;
}

void v2_add_tensors(json *model) {
  json *inputs = json_add_array(model, "inputs"), *outputs = json_add_array(model, "outputs");
  json *shape = json_add_array(begin_tensor(inputs, V2_INPUT, "BYTES"), "shape");
  json_add_int(shape, NULL, -1);
  for (int i = 0; i < V2_OUTPUT_COUNT; i++)
    add_output(outputs, i, -1, -1);
}

/* ---- a reply ---- */

static void put_each(place *to, int output, const protocol_facts *facts) {
  for (int i = 0; i < facts->n; i++) {
    const cam_result *result = &facts->tasks[i].result;
    for (int k = 0; k < result->count; k++) {
      const cam_prediction *one = &result->predictions[k];
      tensors[output].put(to, &facts->model->class_list[one->class_id], one);
    }
  }
}

/* Every photo has as many labels as the first: that takes a list of classes, which is refused. */
static void add_tensor_data(json *list, int output, const protocol_facts *facts, FILE *tail) {
  const v2_asked *asked = facts->asked;
  place to = {.tail = tail};
  json *tensor = add_output(list, output, facts->n, facts->tasks[0].result.count);
  if (asked->binary >> output & 1) {
    put_each(&to, output, facts);
    json_add_int(json_add_object(tensor, "parameters"), "binary_data_size", (int64_t)to.n);
    return;
  }
  if (output == V2_OVERLAY)
    json_add_text(json_add_object(tensor, "parameters"), "content_type", "base64");
  to.data = json_add_array(tensor, "data");
  if (to.data) /* else there was no memory, which the tree knows */
    put_each(&to, output, facts);
}

static char *print_outputs(const protocol_facts *facts, FILE *tail, size_t *n) {
  const v2_asked *asked = facts->asked;
  const char *id = facts->request_id;
  json *tree = json_new_object();
  if (*asked->id)
    id = asked->id;
  json_add_text(tree, "model_name", facts->model->name);
  json_add_text(tree, "model_version", V2_VERSION);
  json_add_text(tree, "id", id);
  json *outputs = json_add_array(tree, "outputs");
  for (int i = 0; i < V2_OUTPUT_COUNT; i++)
    if (asked->outputs >> i & 1)
      add_tensor_data(outputs, i, facts, tail);
  char *text = json_print(tree, true, n);
  json_free(tree);
  return text;
}

bool v2_reply(const protocol_facts *facts, protocol_reply *out) {
  const v2_asked *asked = facts->asked;
  char *bytes = NULL;
  size_t n_tail = 0, n_json = 0;
  *out = (protocol_reply){.type = "application/json"};
  FILE *tail = open_memstream(&bytes, &n_tail);
  if (!tail)
    return false;
  char *text = print_outputs(facts, tail, &n_json);
  bool written = !ferror(tail);
  written &= !fclose(tail);
  char *whole = NULL;
  if (text && written)
    whole = realloc(text, n_json + n_tail + 1);
  if (whole) {
    memcpy(whole + n_json, bytes, n_tail);
    out->bytes = whole;
    out->n = n_json + n_tail;
  } else {
    free(text);
  }
  free(bytes);
  if (asked->binary & asked->outputs) {
    out->type = "application/octet-stream";
    out->n_json = n_json;
  }
  return whole;
}
