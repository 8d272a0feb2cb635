/* quantize.c - quantize.h. Three steps: which nodes' outputs become levels, which are parts of a
 * unit; the scale and zero point of each plane; weights and biases. */
#include "quantize.h"
#include "cam_minmax.h"
#include "document.h"
#include "network/quantized.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  MOST_WEIGHT = 127,
  MOST_BALANCED = 1024 /* weights of a filter; of larger ones each is rounded alone */
};
static const double LEAST = 1e-14, MOST = 1e14; /* of scales: within what is read */

/* What becomes of a node. */
typedef struct fate {
  bool part;   /* no plane: what reads it goes on from its sums */
  bool int8;   /* a convolution, or the fc, with 8-bit weights */
  bool levels; /* its plane has a quantization */
  quantization quantum;
  double least_scale;  /* of the plane: its sums must not come to too many times it */
  int readers, reader; /* how many, and the last */
} fate;

typedef struct quantizing {
  const cam_graph *graph;
  const ranges *seen;
  fate *fates; /* [nodes] */
  bool bytes;  /* the picture is read as bytes: only convolutions read it */
  joined *out;
  cam_error *error;
} quantizing;

static cam_code no_memory_for(const quantizing *q, const cam_node *node) {
  return cam_fail(q->error, CAM_E_NO_MEMORY, "node %.60s: no memory to quantise it", node->name);
}

/* ---- which nodes ---- */

static void count_readers_of(quantizing *q) {
  const cam_graph *graph = q->graph;
  q->bytes = true;
  for (int i = 0; i < graph->n_nodes; i++)
    for (int k = 0; k < graph->nodes[i].n_inputs; k++) {
      const int from = graph->nodes[i].inputs[k];
      if (from == GRAPH_INPUT) {
        q->bytes &= graph->nodes[i].op == OP_CONV;
        continue;
      }
      q->fates[from].readers++;
      q->fates[from].reader = i;
    }
}

/* The node before the head that alone reads it; NULL: there is none. */
static const cam_node *only_reader(const quantizing *q, int node) {
  const fate *f = &q->fates[node];
  if (f->readers != 1 || f->reader >= q->graph->head)
    return NULL;
  return &q->graph->nodes[f->reader];
}

/* Can a plane be added to its sums? (Not where each channel has a filter of its own.) */
static bool gives_sums(const quantizing *q, int node) {
  return q->fates[node].int8 && q->fates[node].readers == 1 &&
         q->graph->nodes[node].groups < q->graph->nodes[node].channels;
}

/* The convolution that a sum of planes is added to: the later of those that nobody else reads. */
static int summed_conv(const quantizing *q, const cam_node *add) {
  const int a = add->inputs[0], b = add->inputs[1];
  if (a < 0 || b < 0 || a == b)
    return -1;
  const int later = max_int(a, b), earlier = min_int(a, b);
  if (gives_sums(q, later))
    return later;
  if (gives_sums(q, earlier))
    return earlier;
  return -1;
}

/* Convolutions first, whose readers then say whether they have a plane. */
static void decide(quantizing *q) {
  const cam_graph *graph = q->graph;
  for (int i = 0; i < graph->head; i++) {
    const cam_node *node = &graph->nodes[i];
    q->fates[i].int8 = node->op == OP_CONV && (node->inputs[0] >= 0 || q->bytes);
    q->fates[i].levels = true;
  }
  for (int i = 0; i < graph->head; i++) {
    const cam_node *node = &graph->nodes[i], *reader = only_reader(q, i);
    if (node->op == OP_ADD) {
      const int conv = summed_conv(q, node);
      if (conv >= 0)
        q->fates[conv].part = true;
    }
    const bool reads_planes = node->inputs[0] >= 0 && node->inputs[node->n_inputs - 1] >= 0;
    const bool has_sums = q->fates[i].int8 ||
                          (reads_planes && (node->op == OP_ADD || node->op == OP_AFFINE));
    if (has_sums && reader && quantized_is_limit(reader))
      q->fates[i].part = true;
  }
  for (int i = 0; i < graph->head; i++)
    q->fates[i].levels = !q->fates[i].part;
  const cam_node *last = &graph->nodes[graph->n_nodes - 1];
  q->fates[graph->n_nodes - 1].int8 = graph->method == CAM_METHOD_CAM && last->op == OP_FC &&
                                      graph->nodes[graph->head].inputs[0] >= 0;
}

/* ---- scales of planes ---- */

/* Below and above these an activation's output hardly changes: levels are not spent there. */
static void cut_flat_ends(const cam_node *reader, double ends[2]) {
  switch (reader->op) {
  case OP_SILU:
    ends[0] = fmax(ends[0], -10);
    break;
  case OP_GELU:
    ends[0] = fmax(ends[0], -5);
    break;
  case OP_HARD_SWISH:
    ends[0] = fmax(ends[0], -3);
    break;
  case OP_SIGMOID:
    ends[0] = fmax(ends[0], -8);
    ends[1] = fmin(ends[1], 8);
    break;
  default:
    break;
  }
}

/* 0 is one of the levels: padding and what relu leaves are it. */
static quantization quantum_for(double least, double most, double least_scale) {
  least = fmin(least, 0);
  most = fmax(most, 0);
  const float scale = (float)fmin(fmax((most - least) / 255, fmax(least_scale, LEAST)), MOST);
  return (quantization){scale, (int)fmin(fmax(rint(-least / (double)scale), 0), 255)};
}

/* What a channel of a convolution can come to at most, in real numbers, for any levels. */
static double most_of_conv(const quantizing *q, const cam_node *conv) {
  const size_t channels = (size_t)conv->channels;
  double largest = 0, in = 1;
  if (conv->inputs[0] != GRAPH_INPUT)
    in = (double)q->fates[conv->inputs[0]].quantum.scale;
  for (size_t c = 0; c < channels; c++) {
    double most = 0;
    for (size_t k = c; k < conv->weight->count; k += channels)
      most += fabs((double)conv->weight->data[k]);
    most *= 2 * 256 * in;
    if (conv->bias)
      most += fabs((double)conv->bias->data[c]);
    largest = fmax(largest, most);
  }
  if (conv->inputs[0] == GRAPH_INPUT) /* the picture's scales are in the weights */
    for (int c = 0; c < 3; c++)
      largest *= fmax(1, fabs((double)q->graph->scale[c]));
  return largest;
}

/* Of the plane that a convolution's sums are rounded to: such that they are well below 2^30 times
 * the scale. */
static void bound_scale(quantizing *q, int i) {
  int last = i;
  while (q->fates[last].part)
    last = q->fates[last].reader;
  q->fates[last].least_scale = most_of_conv(q, &q->graph->nodes[i]) / (1 << 28);
}

static bool keeps_scale(const cam_node *node) {
  return node->op == OP_MAX_POOL || node->op == OP_SLICE || node->op == OP_SHUFFLE ||
         node->op == OP_RESIZE;
}

static void scale_plane(quantizing *q, int i) {
  const cam_node *node = &q->graph->nodes[i], *reader = only_reader(q, i);
  fate *f = &q->fates[i];
  if (!f->levels)
    return;
  if (keeps_scale(node) && node->inputs[0] >= 0) {
    f->quantum = q->fates[node->inputs[0]].quantum;
    return;
  }
  double ends[2] = {(double)q->seen->ends[i][0], (double)q->seen->ends[i][1]};
  if (reader && op_is_activation(reader->op))
    cut_flat_ends(reader, ends);
  f->quantum = quantum_for(ends[0], ends[1], f->least_scale);
}

/* ---- tensors ---- */

/* A new tensor "NODE.MEMBER", whose values the caller writes; NULL: no memory. */
static void *add_tensor_of(quantizing *q, const cam_node *node, const char *member,
                           const char *dtype, int rank, const int64_t *shape, size_t each) {
  cam_tensor *tensor = &q->out->tensors[q->out->n_tensors];
  const size_t room = strlen(node->name) + strlen(member) + 2;
  char *name = malloc(room);
  *tensor = (cam_tensor){.name = name, .dtype = dtype, .rank = rank, .count = 1};
  for (int i = 0; i < rank; i++) {
    tensor->shape[i] = shape[i];
    tensor->count *= (size_t)shape[i];
  }
  void *values = calloc(tensor->count + 1, each);
  q->out->n_tensors++; /* what is there so far is freed with the rest */
  if (!strcmp(dtype, "I8"))
    tensor->bytes = values;
  else if (!strcmp(dtype, "I32"))
    tensor->wholes = values;
  else
    tensor->data = values;
  if (!name || !values)
    return NULL;
  snprintf(name, room, "%s.%s", node->name, member);
  q->out->bytes += tensor->count * each;
  return values;
}

static cam_code copy_tensor(quantizing *q, const cam_node *node, const char *member,
                            const cam_tensor *from) {
  if (!from)
    return CAM_OK;
  float *values = add_tensor_of(q, node, member, "F32", from->rank, from->shape, sizeof *values);
  if (!values)
    return no_memory_for(q, node);
  memcpy(values, from->data, from->count * sizeof *values);
  return CAM_OK;
}

/* What a plane's channels are on average, from `first` on. */
typedef struct seen_channels {
  const averages *means; /* NULL: that is not known */
  const float *ends;
  size_t first;
} seen_channels;

/* A channel's weights, [depth] floats `step` apart, as they are multiplied. */
typedef struct channel {
  const float *from;
  int8_t *to;
  size_t depth, step;
  size_t in_group;              /* depth counts this many channels a cell */
  const float *factors, *means; /* of those channels of the picture, [in_group], or NULL */
  seen_channels seen;           /* where a plane is read */
} channel;

static double weight_at(const channel *c, size_t k) {
  double value = (double)c->from[k * c->step];
  if (c->factors)
    value *= (double)c->factors[k % c->in_group];
  return value;
}

/* The scale that the largest weight needs, and the bias in units of it. */
static double least_scale(const channel *c, double bias) {
  double most = 0;
  for (size_t k = 0; k < c->depth; k++)
    most = fmax(most, fabs(weight_at(c, k)));
  return fmin(fmax(fmax(most / MOST_WEIGHT, fabs(bias) / (1 << 30)), LEAST), MOST);
}

/* Of n weights from `first` on, `stride` apart, the one to be rounded the other way, upwards (turn
 * 1) or downwards (-1): the one that is nearest to the middle. SIZE_MAX: there is none. */
static size_t weight_to_turn(const channel *c, double scale, size_t first, size_t stride, size_t n,
                             int turn) {
  size_t best = SIZE_MAX;
  double most = 0;
  for (size_t k = first; k < first + n * stride; k += stride) {
    const int level = c->to[k * c->step];
    const double off = turn * (weight_at(c, k) / scale - level);
    if (off > most && abs(level + turn) <= MOST_WEIGHT) {
      most = off;
      best = k;
    }
  }
  return best;
}

/* Turns weights until what all of them are off is half a level at most, together. */
static void balance(const channel *c, double scale, size_t first, size_t stride, size_t n) {
  double off = 0;
  for (size_t k = first; k < first + n * stride; k += stride)
    off += weight_at(c, k) / scale - c->to[k * c->step];
  for (size_t turns = 0; turns < n && fabs(off) > 0.5; turns++) {
    int turn = 1;
    if (off < 0)
      turn = -1;
    const size_t k = weight_to_turn(c, scale, first, stride, n, turn);
    if (k == SIZE_MAX)
      return;
    c->to[k * c->step] = (int8_t)(c->to[k * c->step] + turn);
    off -= turn;
  }
}

/* What a filter sees of neighbouring cells is alike, and so are the channels of a picture: weights
 * that are off together do more harm than each alone (Guo et al., "SQuant", ICLR 2022). */
static void balance_filters(const channel *c, double scale) {
  const size_t cells = c->depth / c->in_group;
  if (c->factors && c->depth <= MOST_BALANCED) {
    balance(c, scale, 0, 1, c->depth);
    return;
  }
  for (size_t i = 0; i < c->in_group && cells > 1 && cells <= MOST_BALANCED; i++)
    balance(c, scale, i, c->in_group, cells);
}

/* Rounds the weights to multiples of the scale; returns the sum of their sizes. */
static int64_t round_weights(const channel *c, double scale) {
  int64_t size = 0;
  for (size_t k = 0; k < c->depth; k++) {
    const double level = rint(weight_at(c, k) / scale);
    c->to[k * c->step] = (int8_t)fmin(fmax(level, -MOST_WEIGHT), MOST_WEIGHT);
  }
  balance_filters(c, scale);
  for (size_t k = 0; k < c->depth; k++)
    size += abs(c->to[k * c->step]);
  return size;
}

static seen_channels seen_of(const quantizing *q, int node, size_t first) {
  if (!q->seen->means[node].known)
    return (seen_channels){0};
  return (seen_channels){&q->seen->means[node], q->seen->ends[node], first};
}

/* What rounding the weights takes from the channel's value on average. */
static double taken_by_rounding(const channel *c, double scale) {
  const seen_channels *seen = &c->seen;
  double sum = 0;
  for (size_t k = 0; k < c->depth && seen->means; k++) {
    const int from = (int)(seen->first + k % c->in_group);
    sum += (weight_at(c, k) - c->to[k * c->step] * scale) *
           averages_of(seen->means, seen->ends, from);
  }
  return sum;
}

/* A coarser scale where sums of so many weights could leave 32 bits. */
static float quantize_channel(const channel *c, double bias) {
  double scale = least_scale(c, bias);
  while (round_weights(c, (double)(float)scale) > (INT64_C(1) << 20) && scale < MOST)
    scale *= 2;
  return (float)scale;
}

/* The bias in units of the sums; of the picture also what its mean takes away, to the fraction. */
static int32_t bias_of_channel(const channel *c, double bias) {
  double level = bias;
  for (size_t k = 0; k < c->depth && c->means; k++)
    level -= c->to[k * c->step] * (double)c->means[k % c->in_group];
  return (int32_t)fmin(fmax(rint(level), -(1 << 30)), 1 << 30);
}

/* Channel k of a convolution: a group sees channels of its own of what it reads. */
static channel channel_of_conv(const quantizing *q, const cam_node *node, size_t k,
                               int8_t *levels) {
  const cam_graph *graph = q->graph;
  const size_t channels = (size_t)node->channels, in_group = (size_t)node->weight->shape[2];
  const size_t first = k / (channels / (size_t)node->groups) * in_group;
  channel c = {.from = node->weight->data + k,
               .to = levels + k,
               .depth = node->weight->count / channels,
               .step = channels,
               .in_group = in_group};
  if (node->inputs[0] == GRAPH_INPUT) {
    c.factors = graph->scale + first;
    c.means = graph->mean + first;
  } else {
    c.seen = seen_of(q, node->inputs[0], first);
  }
  return c;
}

static cam_code quantize_conv(quantizing *q, const cam_node *node) {
  const size_t channels = (size_t)node->channels;
  const int64_t n = node->channels;
  double in = 1;
  if (node->inputs[0] != GRAPH_INPUT)
    in = (double)q->fates[node->inputs[0]].quantum.scale;
  int8_t *levels = add_tensor_of(q, node, "weight", "I8", 4, node->weight->shape, 1);
  float *scales = add_tensor_of(q, node, "weight_scale", "F32", 1, &n, sizeof *scales);
  int32_t *biases = add_tensor_of(q, node, "bias", "I32", 1, &n, sizeof *biases);
  if (!levels || !scales || !biases)
    return no_memory_for(q, node);
  for (size_t k = 0; k < channels; k++) {
    const channel c = channel_of_conv(q, node, k, levels);
    double bias = 0;
    if (node->bias)
      bias = (double)node->bias->data[k];
    scales[k] = quantize_channel(&c, bias / in);
    bias += taken_by_rounding(&c, (double)scales[k]);
    biases[k] = bias_of_channel(&c, bias / (in * (double)scales[k]));
  }
  return CAM_OK;
}

static cam_code quantize_fc(quantizing *q, const cam_node *node) {
  const size_t rows = (size_t)node->channels, depth = node->weight->count / rows;
  const int64_t n = node->channels;
  int8_t *levels = add_tensor_of(q, node, "weight", "I8", 2, node->weight->shape, 1);
  float *scales = add_tensor_of(q, node, "weight_scale", "F32", 1, &n, sizeof *scales),
        *biases = add_tensor_of(q, node, "bias", "F32", 1, &n, sizeof *biases);
  if (!levels || !scales || !biases)
    return no_memory_for(q, node);
  for (size_t r = 0; r < rows; r++) {
    const channel c = {.from = node->weight->data + r * depth,
                       .to = levels + r * depth,
                       .depth = depth,
                       .step = 1,
                       .in_group = depth,
                       .seen = seen_of(q, q->graph->nodes[q->graph->head].inputs[0], 0)};
    double bias = 0;
    if (node->bias)
      bias = (double)node->bias->data[r];
    scales[r] = quantize_channel(&c, 0);
    biases[r] = (float)(bias + taken_by_rounding(&c, (double)scales[r]));
  }
  return CAM_OK;
}

static cam_code add_tensors_of(quantizing *q, int i) {
  const cam_node *node = &q->graph->nodes[i];
  if (q->fates[i].int8 && node->op == OP_CONV)
    return quantize_conv(q, node);
  if (q->fates[i].int8)
    return quantize_fc(q, node);
  cam_code code = copy_tensor(q, node, "weight", node->weight);
  if (!code)
    code = copy_tensor(q, node, "bias", node->bias);
  if (!code)
    code = copy_tensor(q, node, "scale", node->scale);
  if (!code)
    code = copy_tensor(q, node, "shift", node->shift);
  return code;
}

/* ---- the document ---- */

static bool is_tensor_member(const char *name) {
  return !strcmp(name, "weight") || !strcmp(name, "bias") || !strcmp(name, "scale") ||
         !strcmp(name, "shift");
}

static void say_member(const cam_node *node, json *row, const char *member) {
  char name[1024];
  snprintf(name, sizeof name, "%.900s.%s", node->name, member);
  json_add_text(row, member, name);
}

static void add_int8_row(const quantizing *q, int i, const json *from, json *nodes) {
  const cam_node *node = &q->graph->nodes[i];
  const fate *f = &q->fates[i];
  json *row = json_add_object(nodes, NULL);
  for (const json *member = json_first(from); member; member = json_next(member))
    if (!is_tensor_member(json_name(member)))
      document_copy(row, json_name(member), member);
  if (node->weight)
    say_member(node, row, "weight");
  if (f->int8)
    say_member(node, row, "weight_scale");
  if (node->bias || f->int8)
    say_member(node, row, "bias");
  if (node->scale)
    say_member(node, row, "scale");
  if (node->shift)
    say_member(node, row, "shift");
  if (!f->levels)
    return;
  json *quantum = json_add_object(row, "quantization");
  json_add_number(quantum, "scale", (double)f->quantum.scale);
  json_add_int(quantum, "zero_point", f->quantum.zero_point);
}

static void write_document_of(quantizing *q, const char *name) {
  json *document = q->out->document = json_new_object(), *nodes = NULL;
  const json *rows = NULL;
  for (const json *member = json_first(q->graph->document); member; member = json_next(member)) {
    const char *each = json_name(member);
    if (!strcmp(each, "version"))
      json_add_int(document, each, GRAPH_INT8_VERSION);
    else if (!strcmp(each, "name"))
      json_add_text(document, each, name);
    else if (!strcmp(each, "nodes")) {
      rows = member;
      nodes = json_add_array(document, each);
    } else if (strcmp(each, "self_test") != 0)
      document_copy(document, each, member);
  }
  int i = 0;
  for (const json *row = json_first(rows); row; row = json_next(row), i++)
    add_int8_row(q, i, row, nodes);
}

/* ---- all of it ---- */

static cam_code quantize_all(quantizing *q, const char *name) {
  const cam_graph *graph = q->graph;
  cam_code code = CAM_OK;
  count_readers_of(q);
  decide(q);
  for (int i = 0; i < graph->head; i++) {
    if (q->fates[i].int8)
      bound_scale(q, i);
    scale_plane(q, i);
  }
  for (int i = 0; i < graph->n_nodes && !code; i++)
    code = add_tensors_of(q, i);
  if (!code)
    write_document_of(q, name);
  return code;
}

cam_code quantize_graph(const cam_graph *graph, const ranges *seen, const char *name, joined *out,
                        cam_error *error) {
  *out = (joined){.tensors = calloc(3 * (size_t)graph->n_nodes, sizeof *out->tensors)};
  quantizing q = {.graph = graph,
                  .seen = seen,
                  .fates = calloc((size_t)graph->n_nodes, sizeof *q.fates),
                  .out = out,
                  .error = error};
  cam_code code;
  if (out->tensors && q.fates)
    code = quantize_all(&q, name);
  else
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory to quantise %d nodes", graph->n_nodes);
  free(q.fates);
  if (code)
    joined_free(out);
  return code;
}
