/* graph.c - graph.h: the JSON of a model file -> a checked graph. Flow: tensors -> [graph] ->
 * network. Thread: loading only; what it returns is immutable. Untrusted input: every error names
 * the node, the member or the tensor. */
#include "graph.h"
#include "cam_minmax.h"
#include "cam_temperature.h"
#include "members.h"
#include "operators.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE = 4096, MAX_CLASS_COUNT = 100000 };

static const uint64_t MAX_MULTIPLY_ADDS = UINT64_C(1) << 40; /* some ten seconds of one core */

/* ---- members around the nodes ---- */

/* [wnid, label]; the first may be "" or null. */
static cam_code read_class(const json *item, int index, cam_class *out, cam_error *error) {
  const json *wnid = json_first(item), *label = json_next(wnid);
  const json_type type = json_type_of(wnid);
  if (json_count(item) != 2 || (type != JSON_STRING && type != JSON_NULL) ||
      json_type_of(label) != JSON_STRING || strlen(json_text(wnid)) > 64 ||
      strlen(json_text(label)) > 512)
    return cam_fail(error, CAM_E_MODEL,
                    "class %d must be [wnid, label], of at most 64 and 512 bytes", index);
  *out = (cam_class){json_text(wnid), json_text(label)};
  return CAM_OK;
}

static cam_code read_probability(cam_graph *graph, cam_error *error) {
#define X(id, name) name,
  static const char *const words[] = {CAM_PROBABILITIES(X)};
#undef X
  const members m = {graph->document, "network", error};
  int probability = CAM_SOFTMAX;
  cam_code code = CAM_OK;
  if (json_member(graph->document, "probability"))
    code = member_word(&m, "probability", words, CAM_PROBABILITY_COUNT, &probability);
  graph->probability = (cam_probability)probability;
  return code;
}

static cam_code read_temperature(cam_graph *graph, cam_error *error) {
  const members m = {graph->document, "network", error};
  double temperature = 0;
  cam_code code = CAM_OK;
  if (json_member(graph->document, "temperature"))
    code = member_float(&m, "temperature", CAM_TEMPERATURE_LEAST, CAM_TEMPERATURE_MOST,
                        &temperature);
  graph->temperature = (float)temperature;
  return code;
}

static cam_code read_classes(cam_graph *graph, cam_error *error) {
  const json *classes = json_member(graph->document, "classes");
  const int least = 2 - (graph->probability == CAM_SIGMOID); /* one alone is certain by softmax */
  graph->n_classes = json_count(classes);
  if (json_type_of(classes) != JSON_ARRAY || graph->n_classes < least ||
      graph->n_classes > MAX_CLASS_COUNT)
    return cam_fail(error, CAM_E_MODEL,
                    "member \"classes\" must be an array of %d to %d [wnid, label]", least,
                    MAX_CLASS_COUNT);
  graph->classes = calloc((size_t)graph->n_classes, sizeof *graph->classes);
  if (!graph->classes)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d classes", graph->n_classes);
  int i = 0;
  cam_code code = CAM_OK;
  for (const json *item = json_first(classes); item && !code; item = json_next(item), i++)
    code = read_class(item, i, &graph->classes[i], error);
  return code;
}

/* What sides "aspect" may ask for; a network of one size says nothing of it. */
static cam_code read_sides(cam_graph *graph, const members *m) {
  const int longer = max_int(graph->height, graph->width);
  graph->multiple = graph->max_side = longer;
  graph->one_size = !json_member(m->object, "multiple") && !json_member(m->object, "max_side");
  if (graph->one_size)
    return CAM_OK;
  cam_code code = member_int(m, "multiple", 1, MAX_SIDE, &graph->multiple);
  if (!code)
    code = member_int(m, "max_side", longer, MAX_SIDE, &graph->max_side);
  return code;
}

/* Size, colours and resizing of the input. */
static cam_code read_input(cam_graph *graph, cam_error *error) {
  static const char *const orders[] = {"RGB", "BGR"};
#define X(id, name) name,
  static const char *const resizes[] = {CAM_RESIZES(X)};
#undef X
  const members m = {json_member(graph->document, "input"), "input", error};
  int order = 0, resize = 0;
  cam_code code = member_int(&m, "height", 1, MAX_SIDE, &graph->height);
  if (!code)
    code = member_int(&m, "width", 1, MAX_SIDE, &graph->width);
  if (!code)
    code = read_sides(graph, &m);
  if (!code)
    code = member_floats(&m, "mean", graph->mean);
  if (!code)
    code = member_floats(&m, "scale", graph->scale);
  if (!code)
    code = member_word(&m, "channels", orders, 2, &order);
  if (!code)
    code = member_word(&m, "resize", resizes, CAM_RESIZE_COUNT, &resize);
  graph->bgr = order == 1;
  graph->resize = (cam_resize)resize;
  return code;
}

const char *const map_rule_names[] = {[MAP_HALF_PIXEL] = "half_pixel", [MAP_TF1] = "tf1"};

/* How class maps are enlarged and scaled. */
static cam_code read_map(cam_graph *graph, cam_error *error) {
#define X(id, name) name,
  static const char *const scales[] = {CAM_SCALES(X)};
#undef X
  const members m = {json_member(graph->document, "map"), "map", error};
  int rule = MAP_HALF_PIXEL, scale = CAM_RELU;
  cam_code code = member_word(&m, "resize", map_rule_names, 2, &rule);
  if (rule == MAP_TF1)
    scale = CAM_MINMAX;
  if (!code && json_member(m.object, "scale"))
    code = member_word(&m, "scale", scales, CAM_SCALE_COUNT, &scale);
  graph->rule = (map_rule)rule;
  graph->map_scale = (cam_scale)scale;
  return code;
}

static cam_code read_self_test(cam_graph *graph, cam_error *error) {
  const json *logits = json_member(json_member(graph->document, "self_test"), "logits");
  int most = (int)(sizeof graph->self_test / sizeof *graph->self_test);
  if (!json_member(graph->document, "self_test"))
    return CAM_OK;
  if (json_type_of(logits) != JSON_ARRAY || json_count(logits) < 1 || json_count(logits) > most)
    return cam_fail(error, CAM_E_MODEL,
                    "self_test: member \"logits\" must be an array of 1 to %d [class, logit]",
                    most);
  for (const json *item = json_first(logits); item; item = json_next(item)) {
    double class_id = json_number(json_first(item)),
           logit = json_number(json_next(json_first(item)));
    if (json_count(item) != 2 || !(class_id >= 0 && class_id < graph->n_classes) ||
        class_id != floor(class_id) || !isfinite(logit))
      return cam_fail(error, CAM_E_MODEL, "self_test: logit %d must be [class, logit]",
                      graph->n_self_test + 1);
    graph->self_test[graph->n_self_test].class_id = (int)class_id;
    graph->self_test[graph->n_self_test++].logit = logit;
  }
  return CAM_OK;
}

cam_code graph_check_version(const json *document, cam_error *error) {
  const members m = {document, "network", error};
  int version;
  cam_code code = member_int(&m, "version", 1, INT32_MAX, &version);
  if (!code && version > GRAPH_INT8_VERSION)
    code = cam_fail(error, CAM_E_MODEL, "version %d is newer than this program reads (%d)", version,
                    GRAPH_INT8_VERSION);
  return code;
}

cam_code graph_check_name(const char *name, cam_error *error) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  const size_t length = strlen(name);
  if (!length || length > 64 || strspn(name, plain) != length)
    return cam_fail(error, CAM_E_MODEL,
                    "network: its name \"%.64s\" must be 1 to 64 letters, digits, '.', '_' or '-'",
                    name);
  return CAM_OK;
}

static cam_code read_title(cam_graph *graph, cam_error *error) {
  const members m = {graph->document, "network", error};
  cam_code code = graph_check_version(graph->document, error);
  if (!code)
    code = member_text(&m, "name", &graph->name);
  if (!code)
    code = graph_check_name(graph->name, error);
  if (code)
    return code;
  graph->origin = json_text(json_member(graph->document, "origin"));
  graph->license = json_text(json_member(graph->document, "license"));
  return CAM_OK;
}

/* ---- nodes ---- */

/* Every output is used once or more, but the last. */
static cam_code check_use(const cam_graph *graph, cam_error *error) {
  for (int i = 0; i < graph->n_nodes; i++) {
    bool used = i == graph->n_nodes - 1;
    for (int j = i + 1; j < graph->n_nodes && !used; j++)
      for (int k = 0; k < graph->nodes[j].n_inputs; k++)
        used |= graph->nodes[j].inputs[k] == i;
    if (!used)
      return cam_fail(error, CAM_E_MODEL, "node \"%.60s\": nothing uses its output",
                      graph->nodes[i].name);
  }
  return CAM_OK;
}

bool graph_head_takes(cam_op op) {
  return op == OP_FC || op == OP_AFFINE || op == OP_LAYER_NORM || op_is_activation(op);
}

static bool begins_head(cam_op op) { return op == OP_GAP || op == OP_FLATTEN; }

/* From the last node back to a gap or flatten. All other nodes are before it: each is used, and
 * what is behind it has one input. */
static cam_code find_head(cam_graph *graph, cam_error *error) {
  int i = graph->n_nodes - 1;
  while (i > 0 && graph_head_takes(graph->nodes[i].op) && graph->nodes[i].inputs[0] == i - 1)
    i--;
  if (!begins_head(graph->nodes[i].op))
    return cam_fail(error, CAM_E_MODEL,
                    "node \"%.60s\": the network must end in a gap or flatten and, behind it, only "
                    "fc and activations",
                    graph->nodes[i].name);
  graph->head = i;
  for (int k = 0; k < i; k++)
    if (graph->nodes[k].op == OP_FC || graph->nodes[k].op == OP_FLATTEN)
      return cam_fail(error, CAM_E_MODEL,
                      "node \"%.60s\": \"%s\" may stand behind the last plane only",
                      graph->nodes[k].name, op_name(graph->nodes[k].op));
  return CAM_OK;
}

/* The logits must be as many as the classes. How their maps come about, and of what sizes. */
static cam_code check_head(cam_graph *graph, cam_error *error) {
  const cam_node *first = &graph->nodes[graph->head], *last = &graph->nodes[graph->n_nodes - 1];
  if (last->channels != graph->n_classes)
    return cam_fail(error, CAM_E_MODEL, "node \"%.60s\" gives %d classes, the file names %d",
                    last->name, last->channels, graph->n_classes);
  const bool linear = last == first || (last == first + 1 && last->op == OP_FC);
  graph->method = CAM_METHOD_HIRESCAM;
  if (linear && first->op == OP_GAP)
    graph->method = CAM_METHOD_CAM;
  graph->one_size |= first->op == OP_FLATTEN;
  if (graph->one_size && graph->resize == CAM_ASPECT)
    return cam_fail(error, CAM_E_MODEL,
                    "input: member \"resize\" is \"aspect\", but the network takes %d x %d alone",
                    graph->width, graph->height);
  return CAM_OK;
}

/* Which nodes are computed in integers. Programs that read version 2 alone do not know of it. */
static cam_code check_int8(cam_graph *graph, cam_error *error) {
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    graph->is_int8 |= is_quantized(node) || node->weight_scale;
    if (graph->is_int8 && json_number(json_member(graph->document, "version")) < GRAPH_INT8_VERSION)
      return cam_fail(error, CAM_E_MODEL, "node \"%.60s\": 8 bits in a file of a version before %d",
                      node->name, GRAPH_INT8_VERSION);
  }
  if (!graph->is_int8)
    return CAM_OK;
  return graph_mark_int8(graph, error);
}

/* shape[index]: of the output of that node; those before it have theirs. */
static cam_code shape_node(const cam_graph *graph, int index, const int picture[2], int (*shape)[2],
                           cam_error *error) {
  const int *in[NODE_MAX_INPUTS];
  const cam_node *node = &graph->nodes[index];
  for (int k = 0; k < node->n_inputs; k++) {
    in[k] = picture;
    if (node->inputs[k] != GRAPH_INPUT)
      in[k] = shape[node->inputs[k]];
  }
  return node_shape(node, in, shape[index], error);
}

static cam_code read_each_node(cam_graph *graph, const json *nodes, int (*shape)[2],
                               cam_error *error) {
  cam_code code = CAM_OK;
  for (const json *node = json_first(nodes); node && !code; node = json_next(node)) {
    const node_context context = {
        graph->nodes, shape, graph->n_nodes, {graph->height, graph->width}, graph->file};
    code = node_read(&context, node, &graph->nodes[graph->n_nodes], error);
    if (!code)
      code = shape_node(graph, graph->n_nodes, context.picture, shape, error);
    if (!code)
      graph->n_nodes++;
  }
  return code;
}

static cam_code read_nodes(cam_graph *graph, cam_error *error) {
  const json *nodes = json_member(graph->document, "nodes");
  int n = json_count(nodes);
  if (json_type_of(nodes) != JSON_ARRAY || n < 2 || n > GRAPH_MAX_NODES)
    return cam_fail(error, CAM_E_MODEL, "member \"nodes\" must be an array of 2 to %d nodes",
                    GRAPH_MAX_NODES);
  graph->nodes = calloc((size_t)n, sizeof *graph->nodes);
  int(*shape)[2] = calloc((size_t)n, sizeof *shape);
  cam_code code;
  if (graph->nodes && shape)
    code = read_each_node(graph, nodes, shape, error);
  else
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d nodes", n);
  free(shape);
  if (!code)
    code = check_use(graph, error);
  if (!code)
    code = find_head(graph, error);
  if (!code)
    code = check_head(graph, error);
  if (!code)
    code = check_int8(graph, error);
  return code;
}

/* Of a network with 8-bit planes: sums of so many levels stay within 32 bits. */
static cam_code check_mean(const cam_graph *graph, const cam_node *node, const int picture[2],
                           int (*shape)[2], cam_error *error) {
  enum { MOST_CELLS = (1 << 23) - 1 };
  const int *in = picture;
  if (!graph->is_int8 || node->op != OP_GAP)
    return CAM_OK;
  if (node->inputs[0] != GRAPH_INPUT)
    in = shape[node->inputs[0]];
  if ((int64_t)in[0] * in[1] <= MOST_CELLS)
    return CAM_OK;
  return cam_fail(error, CAM_E_MODEL,
                  "node \"%.60s\": the mean of %d x %d cells; of 8 bits %d are allowed", node->name,
                  in[1], in[0], MOST_CELLS);
}

cam_code graph_shapes(const cam_graph *graph, int height, int width, int (*shape)[2],
                      cam_error *error) {
  const int picture[2] = {height, width};
  uint64_t multiply_adds = 0;
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    cam_code code = shape_node(graph, i, picture, shape, error);
    if (!code)
      code = check_mean(graph, node, picture, shape, error);
    if (code)
      return code;
    multiply_adds += node_multiply_adds(node, shape[i][0], shape[i][1]);
    if (multiply_adds > MAX_MULTIPLY_ADDS)
      return cam_fail(error, CAM_E_MODEL,
                      "node \"%.60s\": up to here %" PRIu64
                      " multiply-adds at %d x %d; allowed are %" PRIu64,
                      node->name, multiply_adds, width, height, MAX_MULTIPLY_ADDS);
  }
  return CAM_OK;
}

/* The input's own size and all that CAM_ASPECT can ask for must go through: planes that agree at
 * both ends need not between them. */
static cam_code check_shapes(const cam_graph *graph, cam_error *error) {
  int(*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape);
  if (!shape)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the shapes of %d nodes", graph->n_nodes);
  int side = min_int(graph->height, graph->width), longer = side;
  cam_code code = graph_shapes(graph, graph->height, graph->width, shape, error);
  if (graph->one_size)
    longer = graph->max_side + 1;
  while (longer <= graph->max_side && !code) {
    code = graph_shapes(graph, side, longer, shape, error);
    if (!code)
      code = graph_shapes(graph, longer, side, shape, error);
    int next = (longer / graph->multiple + 1) * graph->multiple;
    if (longer < graph->max_side)
      next = min_int(next, graph->max_side);
    longer = next;
  }
  free(shape);
  return code;
}

/* ---- a file ---- */

static cam_code parse_document(const char *path, cam_graph *graph, cam_error *error) {
  const char *text = safetensors_metadata(graph->file, "camserve");
  if (!text)
    return cam_fail(
        error, CAM_E_MODEL,
        "%.80s: no network in it (no metadata \"camserve\"); `camserve convert` makes such files",
        path);
  cam_error own = {0};
  graph->document = json_parse(text, strlen(text), CAM_E_MODEL, &own);
  if (!graph->document)
    return cam_fail(error, own.code, "%s", own.detail);
  return CAM_OK;
}

cam_code graph_load(const char *path, cam_graph **out, cam_error *error) {
  *out = NULL;
  cam_graph *graph = calloc(1, sizeof *graph);
  if (!graph)
    return cam_fail(error, CAM_E_NO_MEMORY, "%.80s: no memory", path);
  cam_code code = safetensors_read(path, &graph->file, error);
  if (!code)
    code = parse_document(path, graph, error);
  if (!code)
    code = read_title(graph, error);
  if (!code)
    code = read_input(graph, error);
  if (!code)
    code = read_map(graph, error);
  if (!code)
    code = read_probability(graph, error);
  if (!code)
    code = read_temperature(graph, error);
  if (!code)
    code = read_classes(graph, error);
  if (!code)
    code = read_nodes(graph, error);
  if (!code)
    code = read_self_test(graph, error);
  if (!code)
    code = check_shapes(graph, error);
  if (code)
    graph_free(graph);
  else
    *out = graph;
  return code;
}

void graph_free(cam_graph *graph) {
  if (!graph)
    return;
  free(graph->classes);
  free(graph->nodes);
  json_free(graph->document);
  safetensors_free(graph->file);
  free(graph);
}

/* ---- the made picture ---- */

/* Slow waves of colour and a checkerboard: edges at several scales. 0 to 175. */
static int made_level(int x, int y, int channel) {
  int wave = (x * (3 + channel) + y * (5 - channel)) % 448;
  return min_int(wave, 447 - wave) / 2 + ((x / 16 + y / 16) % 2) * 64;
}

/* A level of the made picture into a picture as the network sees it. */
static void put_level(const cam_graph *graph, void *input, size_t at, int channel, int level) {
  if (graph->sees_bytes)
    ((uint8_t *)input)[at] = (uint8_t)level;
  else
    ((float *)input)[at] = ((float)level - graph->mean[channel]) * graph->scale[channel];
}

void cam_made_input(const cam_graph *graph, void *input) {
  uint32_t noise = 1;
  size_t cell = 0;
  for (int y = 0; y < graph->height; y++)
    for (int x = 0; x < graph->width; x++, cell++)
      for (int c = 0; c < 3; c++) {
        noise = noise * 1664525 + 1013904223;
        int level = made_level(x, y, c) + (int)(noise >> 27), channel = c;
        if (graph->bgr)
          channel = 2 - c;
        put_level(graph, input, 3 * cell + (size_t)channel, channel, level);
      }
}
