/* graph.c - graph.h: the JSON of a model file -> a checked graph. Flow: tensors -> [graph] ->
 * network. Thread: loading only; what it returns is immutable. Untrusted input: every error names
 * the node, the member or the tensor. */
#include "graph.h"
#include "cam_json.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAX_KERNEL = 64,
  MAX_CHANNELS = 65536,
  MAX_SIDE = 4096,
  MAX_CLASS_COUNT = 100000,
  MAX_PLANE = 1 << 28,
  GRAPH_VERSION = 1
};

static const uint64_t MAX_MULTIPLY_ADDS = UINT64_C(1) << 40; /* some ten seconds of one core */

/* ---- operators: what their nodes may and must say ---- */
enum {
  HAS_KERNEL = 1,
  HAS_STRIDE = 2,
  HAS_PADDING = 4,
  HAS_GROUPS = 8,
  HAS_WEIGHT = 16,
  HAS_BIAS = 32
};
static const struct {
  const char *name;
  unsigned has;
  int least_inputs, most_inputs;
} operators[OP_COUNT] = {
    [OP_CONV] = {"conv", HAS_STRIDE | HAS_PADDING | HAS_GROUPS | HAS_WEIGHT | HAS_BIAS, 1, 1},
    [OP_MAX_POOL] = {"max_pool", HAS_KERNEL | HAS_STRIDE | HAS_PADDING, 1, 1},
    [OP_AVG_POOL] = {"avg_pool", HAS_KERNEL | HAS_STRIDE | HAS_PADDING, 1, 1},
    [OP_RELU] = {"relu", 0, 1, 1},
    [OP_RELU6] = {"relu6", 0, 1, 1},
    [OP_ADD] = {"add", 0, 2, 2},
    [OP_CONCAT] = {"concat", 0, 1, NODE_MAX_INPUTS},
    [OP_GAP] = {"gap", 0, 1, 1},
    [OP_FC] = {"fc", HAS_WEIGHT | HAS_BIAS, 1, 1},
};
static const struct {
  const char *name;
  unsigned bit;
} attributes[] = {
    {"name", 0},
    {"op", 0},
    {"inputs", 0},
    {"kernel", HAS_KERNEL},
    {"stride", HAS_STRIDE},
    {"padding", HAS_PADDING},
    {"groups", HAS_GROUPS},
    {"weight", HAS_WEIGHT},
    {"bias", HAS_BIAS},
};

const char *op_name(cam_op op) { return (unsigned)op < OP_COUNT ? operators[op].name : ""; }

/* ---- members of a node ---- */

/* An array of n whole numbers from least to most. */
static cam_code get_ints(const json *object, const char *name, int n, int least, int most, int *out,
                         const char *where, cam_error *error) {
  const json *array = json_member(object, name), *item = json_first(array);
  if (json_type_of(array) != JSON_ARRAY || json_count(array) != n)
    return cam_fail(error, CAM_E_MODEL, "%s: member \"%s\" must be an array of %d numbers", where,
                    name, n);
  for (int i = 0; i < n; i++, item = json_next(item)) {
    double value = json_number(item);
    if (json_type_of(item) != JSON_NUMBER || !(value >= least && value <= most) ||
        value != floor(value))
      return cam_fail(error, CAM_E_MODEL,
                      "%s: member \"%s\": number %d must be whole, from %d to %d", where, name,
                      i + 1, least, most);
    out[i] = (int)value;
  }
  return CAM_OK;
}

static cam_code get_floats(const json *object, const char *name, float out[3], const char *where,
                           cam_error *error) {
  const json *array = json_member(object, name), *item = json_first(array);
  if (json_count(array) != 3)
    return cam_fail(error, CAM_E_MODEL, "%s: member \"%s\" must be an array of 3 numbers", where,
                    name);
  for (int i = 0; i < 3; i++, item = json_next(item)) {
    out[i] = (float)json_number(item);
    if (json_type_of(item) != JSON_NUMBER || !(fabsf(out[i]) <= 1e6f))
      return cam_fail(error, CAM_E_MODEL, "%s: member \"%s\": number %d must be from -1e6 to 1e6",
                      where, name, i + 1);
  }
  return CAM_OK;
}

/* One of `count` words; *out is its index. */
static cam_code get_word(const json *object, const char *name, const char *const *words, int count,
                         int *out, const char *where, cam_error *error) {
  const char *text = NULL;
  cam_code code = json_get_text(object, name, &text, CAM_E_MODEL, where, error);
  if (code)
    return code;
  for (*out = 0; *out < count; ++*out)
    if (!strcmp(words[*out], text))
      return CAM_OK;
  return cam_fail(error, CAM_E_MODEL, "%s: member \"%s\" is \"%.40s\", which is unknown", where,
                  name, text);
}

/* A float32 tensor that is in the file and finite. */
static cam_code get_tensor(const cam_graph *graph, const json *object, const char *member,
                           const cam_tensor **out, const char *where, cam_error *error) {
  const char *name = NULL;
  cam_code code = json_get_text(object, member, &name, CAM_E_MODEL, where, error);
  if (code)
    return code;
  const cam_tensor *tensor = safetensors_find(graph->file, name);
  if (!tensor)
    return cam_fail(error, CAM_E_MODEL, "%s: tensor \"%.60s\" is not in the file", where, name);
  if (!tensor->data)
    return cam_fail(error, CAM_E_MODEL, "%s: tensor \"%.60s\" has dtype %s; F32 is needed", where,
                    name, tensor->dtype);
  uint32_t worst = 0; /* the largest magnitude as bits: above 0x7f7fffff it is Inf or NaN */
  const uint32_t *bits = (const void *)tensor->data;
  for (size_t i = 0; i < tensor->count; i++) {
    uint32_t magnitude = bits[i] & 0x7fffffff;
    worst = magnitude > worst ? magnitude : worst;
  }
  if (worst >= 0x7f800000)
    return cam_fail(error, CAM_E_MODEL, "%s: tensor \"%.60s\" has a value that is not finite",
                    where, name);
  *out = tensor;
  return CAM_OK;
}

static int find_node(const cam_graph *graph, const char *name) {
  if (!strcmp(name, "input"))
    return GRAPH_INPUT;
  for (int i = 0; i < graph->n_nodes; i++)
    if (!strcmp(graph->nodes[i].name, name))
      return i;
  return GRAPH_INPUT - 1;
}

static int channels_of(const cam_graph *graph, int index) {
  return index == GRAPH_INPUT ? 3 : graph->nodes[index].channels;
}

static cam_code read_padding(const json *object, cam_node *node, const char *where,
                             cam_error *error) {
  const json *padding = json_member(object, "padding");
  const char *word = json_text(padding);
  if (!padding || (json_type_of(padding) == JSON_STRING && !strcmp(word, "valid")))
    return CAM_OK;
  if (json_type_of(padding) == JSON_STRING && !strcmp(word, "same")) {
    node->padding = PAD_SAME;
    return CAM_OK;
  }
  if (json_type_of(padding) != JSON_ARRAY)
    return cam_fail(error, CAM_E_MODEL,
                    "%s: member \"padding\" must be \"same\", \"valid\" or [top,left,bottom,right]",
                    where);
  cam_code code = get_ints(object, "padding", 4, 0, MAX_KERNEL - 1, node->pads, where, error);
  for (int i = 0; i < 4 && !code; i++)
    if (node->pads[i] >= node->kernel[i % 2])
      code = cam_fail(error, CAM_E_MODEL, "%s: padding of %d is not smaller than its kernel of %d",
                      where, node->pads[i], node->kernel[i % 2]);
  return code;
}

/* Shapes of weight and bias against each other, the groups and the input's channels; sets kernel
 * and channels. */
static cam_code read_weights(cam_graph *graph, const json *object, cam_node *node,
                             const char *where, cam_error *error) {
  cam_code code = get_tensor(graph, object, "weight", &node->weight, where, error);
  if (!code && json_member(object, "bias"))
    code = get_tensor(graph, object, "bias", &node->bias, where, error);
  if (code)
    return code;
  const cam_tensor *weight = node->weight, *bias = node->bias;
  const int64_t *shape = weight->shape;
  int in = channels_of(graph, node->inputs[0]);
  if (weight->rank != (node->op == OP_CONV ? 4 : 2))
    return cam_fail(error, CAM_E_MODEL, "%s: tensor \"%.60s\" has rank %d", where, weight->name,
                    weight->rank);
  if (node->op == OP_FC) {
    if (shape[1] != in)
      return cam_fail(error, CAM_E_MODEL,
                      "%s: tensor \"%.60s\" takes %" PRId64 " channels, its input has %d", where,
                      weight->name, shape[1], in);
    if (shape[0] != graph->n_classes)
      return cam_fail(error, CAM_E_MODEL,
                      "%s: tensor \"%.60s\" gives %" PRId64 " classes, the file names %d", where,
                      weight->name, shape[0], graph->n_classes);
    node->channels = (int)shape[0];
  } else {
    if (shape[0] < 1 || shape[0] > MAX_KERNEL || shape[1] < 1 || shape[1] > MAX_KERNEL ||
        shape[3] < 1 || shape[3] > MAX_CHANNELS)
      return cam_fail(error, CAM_E_MODEL,
                      "%s: tensor \"%.60s\": kernels go up to %d x %d, channels to %d", where,
                      weight->name, MAX_KERNEL, MAX_KERNEL, MAX_CHANNELS);
    node->kernel[0] = (int)shape[0];
    node->kernel[1] = (int)shape[1];
    node->channels = (int)shape[3];
    if (in % node->groups || node->channels % node->groups || shape[2] != in / node->groups)
      return cam_fail(error, CAM_E_MODEL,
                      "%s: tensor \"%.60s\" takes %" PRId64
                      " channels a group and gives %d in %d groups; its input has %d",
                      where, weight->name, shape[2], node->channels, node->groups, in);
  }
  if (bias && (bias->rank != 1 || bias->shape[0] != node->channels))
    return cam_fail(error, CAM_E_MODEL, "%s: tensor \"%.60s\" must have %d values", where,
                    bias->name, node->channels);
  return CAM_OK;
}

static cam_code read_node(cam_graph *graph, const json *object, cam_error *error) {
  cam_node *node = &graph->nodes[graph->n_nodes];
  char where[96];
  snprintf(where, sizeof where, "node %d", graph->n_nodes + 1);
  cam_code code = json_get_text(object, "name", &node->name, CAM_E_MODEL, where, error);
  if (code)
    return code;
  snprintf(where, sizeof where, "node \"%.60s\"", node->name);
  if (find_node(graph, node->name) >= GRAPH_INPUT)
    return cam_fail(error, CAM_E_MODEL, "%s: the name is taken", where);
  static const char *const names[] = {
#define X(id, name) name,
      OPERATORS(X)
#undef X
  };
  int op;
  if ((code = get_word(object, "op", names, OP_COUNT, &op, where, error)))
    return code;
  node->op = (cam_op)op;
  unsigned has = operators[op].has;
  for (const json *member = json_first(object); member; member = json_next(member)) {
    unsigned known = 0;
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
      known |= !strcmp(attributes[i].name, json_name(member)) && (attributes[i].bit & ~has) == 0;
    if (!known)
      return cam_fail(error, CAM_E_MODEL, "%s: \"%s\" has no member \"%.40s\"", where, names[op],
                      json_name(member));
  }

  const json *inputs = json_member(object, "inputs");
  node->n_inputs = json_count(inputs);
  if (json_type_of(inputs) != JSON_ARRAY || node->n_inputs < operators[op].least_inputs ||
      node->n_inputs > operators[op].most_inputs)
    return cam_fail(error, CAM_E_MODEL, "%s: %d inputs; \"%s\" takes %d to %d", where,
                    node->n_inputs, names[op], operators[op].least_inputs,
                    operators[op].most_inputs);
  int i = 0;
  for (const json *input = json_first(inputs); input; input = json_next(input), i++) {
    node->inputs[i] = find_node(graph, json_text(input));
    if (node->inputs[i] < GRAPH_INPUT)
      return cam_fail(error, CAM_E_MODEL,
                      "%s: input \"%.40s\" is no earlier node (unknown, or a cycle)", where,
                      json_text(input));
    if (node->inputs[i] >= 0 && graph->nodes[node->inputs[i]].op == OP_FC)
      return cam_fail(error, CAM_E_MODEL, "%s: comes after the fc, which must be last", where);
    if (node->inputs[i] >= 0 && graph->nodes[node->inputs[i]].op == OP_GAP && op != OP_FC)
      return cam_fail(error, CAM_E_MODEL, "%s: comes after the gap, where only the fc may stand",
                      where);
  }

  node->channels = channels_of(graph, node->inputs[0]);
  node->stride[0] = node->stride[1] = node->kernel[0] = node->kernel[1] = node->groups = 1;
  int64_t groups = 1;
  if (has & HAS_KERNEL &&
      (code = get_ints(object, "kernel", 2, 1, MAX_KERNEL, node->kernel, where, error)))
    return code;
  if (has & HAS_STRIDE && json_member(object, "stride") &&
      (code = get_ints(object, "stride", 2, 1, MAX_KERNEL, node->stride, where, error)))
    return code;
  if (has & HAS_GROUPS && json_member(object, "groups") &&
      (code = json_get_int(object, "groups", 1, MAX_CHANNELS, &groups, CAM_E_MODEL, where, error)))
    return code;
  node->groups = (int)groups;
  if (has & HAS_WEIGHT && (code = read_weights(graph, object, node, where, error)))
    return code;
  if (has & HAS_PADDING && (code = read_padding(object, node, where, error)))
    return code;
  if (op == OP_ADD && channels_of(graph, node->inputs[0]) != channels_of(graph, node->inputs[1]))
    return cam_fail(error, CAM_E_MODEL, "%s: adds %d channels to %d", where,
                    channels_of(graph, node->inputs[0]), channels_of(graph, node->inputs[1]));
  if (op == OP_CONCAT) {
    node->channels = 0;
    for (i = 0; i < node->n_inputs; i++)
      node->channels += channels_of(graph, node->inputs[i]);
    if (node->channels > MAX_CHANNELS)
      return cam_fail(error, CAM_E_MODEL, "%s: %d channels; allowed are %d", where, node->channels,
                      MAX_CHANNELS);
  }
  if (op == OP_FC && (node->inputs[0] < 0 || graph->nodes[node->inputs[0]].op != OP_GAP))
    return cam_fail(error, CAM_E_MODEL,
                    "%s: its input is not a gap, so it has no class activation map", where);
  graph->n_nodes++;
  return CAM_OK;
}

/* Every output is used once or more, but the last; there is one gap and one fc. */
static cam_code check_use(const cam_graph *graph, cam_error *error) {
  int gaps = 0;
  for (int i = 0; i < graph->n_nodes; i++) {
    bool used = i == graph->n_nodes - 1;
    for (int j = i + 1; j < graph->n_nodes && !used; j++)
      for (int k = 0; k < graph->nodes[j].n_inputs; k++)
        used |= graph->nodes[j].inputs[k] == i;
    if (!used)
      return cam_fail(error, CAM_E_MODEL, "node \"%.60s\": nothing uses its output",
                      graph->nodes[i].name);
    gaps += graph->nodes[i].op == OP_GAP;
  }
  if (!graph->n_nodes || graph->nodes[graph->n_nodes - 1].op != OP_FC || gaps != 1)
    return cam_fail(error, CAM_E_MODEL, "the network must end in one gap and, on it, one fc");
  return CAM_OK;
}

/* ---- the members around the nodes ---- */

static cam_code read_classes(cam_graph *graph, cam_error *error) {
  const json *classes = json_member(graph->document, "classes");
  graph->n_classes = json_count(classes);
  if (json_type_of(classes) != JSON_ARRAY || graph->n_classes < 2 ||
      graph->n_classes > MAX_CLASS_COUNT)
    return cam_fail(error, CAM_E_MODEL,
                    "member \"classes\" must be an array of 2 to %d [wnid, label]",
                    MAX_CLASS_COUNT);
  graph->classes = calloc((size_t)graph->n_classes, sizeof *graph->classes);
  if (!graph->classes)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d classes", graph->n_classes);
  int i = 0;
  for (const json *item = json_first(classes); item; item = json_next(item), i++) {
    const json *wnid = json_first(item), *label = json_next(wnid);
    if (json_count(item) != 2 || json_type_of(wnid) != JSON_STRING ||
        json_type_of(label) != JSON_STRING || strlen(json_text(wnid)) > 64 ||
        strlen(json_text(label)) > 512)
      return cam_fail(error, CAM_E_MODEL,
                      "class %d must be [wnid, label], of at most 64 and 512 bytes", i);
    graph->classes[i] = (cam_class){json_text(wnid), json_text(label)};
  }
  return CAM_OK;
}

static cam_code read_input(cam_graph *graph, cam_error *error) {
  static const char *const orders[] = {"RGB", "BGR"}, *const rules[] = {"half_pixel", "tf1"};
#define X(id, name) name,
  static const char *const resizes[] = {CAM_RESIZES(X)};
#undef X
  const json *input = json_member(graph->document, "input");
  int64_t height, width, multiple, max_side;
  int order, resize, rule;
  cam_code code;
  if ((code = json_get_int(input, "height", 1, MAX_SIDE, &height, CAM_E_MODEL, "input", error)) ||
      (code = json_get_int(input, "width", 1, MAX_SIDE, &width, CAM_E_MODEL, "input", error)) ||
      (code = json_get_int(input, "multiple", 1, MAX_SIDE, &multiple, CAM_E_MODEL, "input",
                           error)) ||
      (code = json_get_int(input, "max_side", height > width ? height : width, MAX_SIDE, &max_side,
                           CAM_E_MODEL, "input", error)) ||
      (code = get_floats(input, "mean", graph->mean, "input", error)) ||
      (code = get_floats(input, "scale", graph->scale, "input", error)) ||
      (code = get_word(input, "channels", orders, 2, &order, "input", error)) ||
      (code = get_word(input, "resize", resizes, CAM_RESIZE_COUNT, &resize, "input", error)) ||
      (code = get_word(json_member(graph->document, "map"), "resize", rules, 2, &rule, "map",
                       error)))
    return code;
  graph->height = (int)height, graph->width = (int)width, graph->multiple = (int)multiple,
  graph->max_side = (int)max_side;
  graph->bgr = order == 1;
  graph->resize = (cam_resize)resize;
  graph->rule = rule ? MAP_TF1 : MAP_HALF_PIXEL;
  return CAM_OK;
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

static cam_code read_name(cam_graph *graph, cam_error *error) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  int64_t version;
  cam_code code = json_get_int(graph->document, "version", GRAPH_VERSION, GRAPH_VERSION, &version,
                               CAM_E_MODEL, "network", error);
  if (!code)
    code = json_get_text(graph->document, "name", &graph->name, CAM_E_MODEL, "network", error);
  if (code)
    return code;
  size_t length = strlen(graph->name);
  if (!length || length > 64 || strspn(graph->name, plain) != length)
    return cam_fail(error, CAM_E_MODEL,
                    "network: its name \"%.64s\" must be 1 to 64 letters, digits, '.', '_' or '-'",
                    graph->name);
  graph->origin = json_text(json_member(graph->document, "origin"));
  graph->license = json_text(json_member(graph->document, "license"));
  return CAM_OK;
}

static cam_code read_nodes(cam_graph *graph, cam_error *error) {
  const json *nodes = json_member(graph->document, "nodes");
  int n = json_count(nodes);
  if (json_type_of(nodes) != JSON_ARRAY || n < 2 || n > GRAPH_MAX_NODES)
    return cam_fail(error, CAM_E_MODEL, "member \"nodes\" must be an array of 2 to %d nodes",
                    GRAPH_MAX_NODES);
  graph->nodes = calloc((size_t)n, sizeof *graph->nodes);
  if (!graph->nodes)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d nodes", n);
  for (const json *node = json_first(nodes); node; node = json_next(node)) {
    cam_code code = read_node(graph, node, error);
    if (code)
      return code;
  }
  return check_use(graph, error);
}

/* The input's own size and all that CAM_ASPECT can ask for must go through: planes that agree at
 * both ends need not between them. */
static cam_code check_shapes(const cam_graph *graph, cam_error *error) {
  int(*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape),
  side = graph->height < graph->width ? graph->height : graph->width;
  if (!shape)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the shapes of %d nodes", graph->n_nodes);
  cam_code code = graph_shapes(graph, graph->height, graph->width, shape, error);
  for (int longer = side; longer <= graph->max_side && !code;) {
    code = graph_shapes(graph, side, longer, shape, error);
    if (!code)
      code = graph_shapes(graph, longer, side, shape, error);
    int next = (longer / graph->multiple + 1) * graph->multiple;
    longer = longer < graph->max_side && next > graph->max_side ? graph->max_side : next;
  }
  free(shape);
  return code;
}

cam_code graph_load(const char *path, cam_graph **out, cam_error *error) {
  *out = NULL;
  cam_graph *graph = calloc(1, sizeof *graph);
  if (!graph)
    return cam_fail(error, CAM_E_NO_MEMORY, "%.80s: no memory", path);
  cam_code code = safetensors_read(path, &graph->file, error);
  const char *text = code ? NULL : safetensors_metadata(graph->file, "camserve");
  if (!code && !text)
    code = cam_fail(
        error, CAM_E_MODEL,
        "%.80s: no network in it (no metadata \"camserve\"); `camserve convert` makes such files",
        path);
  if (!code) {
    graph->document = json_parse(text, strlen(text), CAM_E_MODEL, error);
    if (!graph->document)
      code = error ? error->code : CAM_E_MODEL;
  }
  if (!code)
    code = read_name(graph, error);
  if (!code)
    code = read_input(graph, error);
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

/* ---- shapes and costs ---- */

int node_padding(const cam_node *node, int axis, int in, int *out) {
  int kernel = node->kernel[axis], stride = node->stride[axis];
  if (node->padding ==
      PAD_SAME) { /* TensorFlow: the output is in / stride, rounded up; the odd cell goes after */
    *out = (in + stride - 1) / stride;
    int total = (*out - 1) * stride + kernel - in;
    return total > 0 ? total / 2 : 0;
  }
  int rest = in + node->pads[axis] + node->pads[axis + 2] - kernel;
  *out = rest < 0 ? 0 : rest / stride + 1;
  return node->pads[axis];
}

cam_code graph_shapes(const cam_graph *graph, int height, int width, int (*shape)[2],
                      cam_error *error) {
  const int input[2] = {height, width};
  uint64_t multiply_adds = 0;
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    const int *in = node->inputs[0] == GRAPH_INPUT ? input : shape[node->inputs[0]];
    for (int k = 1; k < node->n_inputs; k++) {
      const int *other = node->inputs[k] == GRAPH_INPUT ? input : shape[node->inputs[k]];
      if (other[0] != in[0] || other[1] != in[1])
        return cam_fail(error, CAM_E_MODEL, "node \"%.60s\": inputs of %d x %d and %d x %d cells",
                        node->name, in[1], in[0], other[1], other[0]);
    }
    for (int axis = 0; axis < 2; axis++) {
      node_padding(node, axis, in[axis], &shape[i][axis]);
      if (node->op == OP_GAP || node->op == OP_FC)
        shape[i][axis] = 1;
    }
    if (shape[i][0] < 1 || shape[i][1] < 1)
      return cam_fail(error, CAM_E_MODEL,
                      "node \"%.60s\": a kernel of %d x %d does not fit %d x %d cells", node->name,
                      node->kernel[1], node->kernel[0], in[1], in[0]);
    if ((int64_t)shape[i][0] * shape[i][1] * node->channels > MAX_PLANE)
      return cam_fail(error, CAM_E_MODEL, "node \"%.60s\": %d x %d x %d values; allowed are %d",
                      node->name, shape[i][0], shape[i][1], node->channels, MAX_PLANE);
    multiply_adds += node_multiply_adds(node, shape[i][0], shape[i][1]);
    if (multiply_adds > MAX_MULTIPLY_ADDS)
      return cam_fail(error, CAM_E_MODEL,
                      "node \"%.60s\": up to here %" PRIu64
                      " multiply-adds at %d x %d; allowed are %" PRIu64,
                      node->name, multiply_adds, width, height, MAX_MULTIPLY_ADDS);
  }
  return CAM_OK;
}

uint64_t node_multiply_adds(const cam_node *node, int height, int width) {
  if (node->op == OP_FC)
    return node->weight->count;
  return node->op == OP_CONV ? (uint64_t)height * (uint64_t)width * node->weight->count : 0;
}

void cam_made_input(const cam_graph *graph, float *input) {
  uint32_t noise = 1;
  for (int y = 0; y < graph->height; y++)
    for (int x = 0; x < graph->width; x++)
      for (int c = 0; c < 3; c++) { /* slow waves of colour, a checkerboard and a little noise:
                                       edges at several scales */
        noise = noise * 1664525 + 1013904223;
        int wave = (x * (3 + c) + y * (5 - c)) % 448, level = (wave < 224 ? wave : 447 - wave) / 2 +
                                                              ((x / 16 + y / 16) % 2) * 64 +
                                                              (int)(noise >> 27);
        int channel = graph->bgr ? 2 - c : c;
        input[(y * graph->width + x) * 3 + channel] = ((float)level - graph->mean[channel]) *
                                                      graph->scale[channel];
      }
}
