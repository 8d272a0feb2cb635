/* reference.c - reference.h: every operator from its definition, in double, in plain loops. Do not
 * make it fast: the fast operators are tested against it. A plane is [height,width,channels]; a
 * task is one row of one node's output. */
#include "reference.h"
#include "activation.h"
#include "quantized.h"
#include "reference_node.h"
#include "reference_plane.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

double *reference_cell(const plane *p, int y, int x) { return cell(p, y, x); }
size_t reference_values(const plane *p) {
  return (size_t)p->height * (size_t)p->width * (size_t)p->channels;
}
bool reference_inside(const plane *p, int y, int x) { return inside(p, y, x); }

void reference_pad(call *c) {
  int unused;
  c->top = node_padding(c->node, 0, c->in[0].height, &unused);
  c->left = node_padding(c->node, 1, c->in[0].width, &unused);
}

double reference_value(const call *c, node_slot slot, size_t i) {
  if (c->exact[slot])
    return c->exact[slot][i];
  return node_tensor(c->node, slot)->data[i];
}

static double bias_of(const call *c, int channel) {
  if (!c->node->bias)
    return 0;
  return reference_value(c, SLOT_BIAS, (size_t)channel);
}

/* out[0..n) += factor * the weights from `first` on. */
static void add_weights(const call *c, size_t first, int n, double factor, double *out) {
  const double *exact = c->exact[SLOT_WEIGHT];
  const float *weight = c->node->weight->data;
  for (int i = 0; i < n && exact; i++)
    out[i] += factor * exact[first + (size_t)i];
  for (int i = 0; i < n && !exact; i++)
    out[i] += factor * weight[first + (size_t)i];
}

static void conv(const call *c, int y) {
  const cam_node *node = c->node;
  int in_group = c->in[0].channels / node->groups, out_group = c->out.channels / node->groups;
  for (int x = 0; x < c->out.width; x++) {
    double *out = cell(&c->out, y, x);
    for (int k = 0; k < c->out.channels; k++)
      out[k] = bias_of(c, k);
    for (int i = 0; i < node->kernel[0]; i++)
      for (int j = 0; j < node->kernel[1]; j++) {
        int yy = y * node->stride[0] - c->top + i, xx = x * node->stride[1] - c->left + j;
        if (!inside(&c->in[0], yy, xx))
          continue;
        const double *in = cell(&c->in[0], yy, xx);
        for (int g = 0; g < node->groups; g++)
          for (int a = 0; a < in_group; a++) {
            size_t row = ((size_t)i * (size_t)node->kernel[1] + (size_t)j) * (size_t)in_group +
                         (size_t)a;
            int first = g * out_group;
            add_weights(c, row * (size_t)c->out.channels + (size_t)first, out_group,
                        in[g * in_group + a], out + first);
          }
      }
  }
}

bool reference_is_padded(const call *c, int y, int x) {
  const int *pads = c->node->pads;
  if (c->node->padding == PAD_SAME)
    return true;
  return y < c->in[0].height + pads[2] && x < c->in[0].width + pads[3];
}

static void pool(const call *c, int y) {
  const cam_node *node = c->node;
  for (int x = 0; x < c->out.width; x++)
    for (int k = 0; k < c->out.channels; k++) {
      double largest = 0, sum = 0;
      int n = 0, padded = 0;
      for (int i = 0; i < node->kernel[0]; i++)
        for (int j = 0; j < node->kernel[1]; j++) {
          int yy = y * node->stride[0] - c->top + i, xx = x * node->stride[1] - c->left + j;
          padded += reference_is_padded(c, yy, xx);
          if (!inside(&c->in[0], yy, xx))
            continue;
          double value = cell(&c->in[0], yy, xx)[k];
          if (!n || value > largest)
            largest = value;
          sum += value;
          n++;
        }
      if (node->op == OP_MAX_POOL)
        cell(&c->out, y, x)[k] = largest;
      else if (node->count_include_pad)
        cell(&c->out, y, x)[k] = sum / padded;
      else
        cell(&c->out, y, x)[k] = sum / n;
    }
}

static void add(const call *c, int y) {
  int n = c->out.width * c->out.channels;
  const double *a = cell(&c->in[0], y, 0), *b = cell(&c->in[1], y, 0);
  double *out = cell(&c->out, y, 0);
  for (int i = 0; i < n; i++)
    out[i] = a[i] + b[i];
}

/* The second plane is as large as the first, or one cell: a factor a channel. */
static void mul(const call *c, int y) {
  const plane *b = &c->in[1];
  bool one_cell = b->height == 1 && b->width == 1;
  for (int x = 0; x < c->out.width; x++)
    for (int k = 0; k < c->out.channels; k++) {
      double factor = one_cell ? b->at[k] : cell(b, y, x)[k];
      cell(&c->out, y, x)[k] = cell(&c->in[0], y, x)[k] * factor;
    }
}

static void activate(const call *c, int y) {
  int n = c->out.width * c->out.channels;
  const double *in = cell(&c->in[0], y, 0);
  double *out = cell(&c->out, y, 0);
  for (int i = 0; i < n; i++)
    out[i] = activated(c->node, in[i]);
}

static void affine(const call *c, int y) {
  for (int x = 0; x < c->out.width; x++)
    for (int k = 0; k < c->out.channels; k++)
      cell(&c->out, y, x)[k] = cell(&c->in[0], y, x)[k] *
                                   reference_value(c, SLOT_SCALE, (size_t)k) +
                               reference_value(c, SLOT_SHIFT, (size_t)k);
}

/* Ba, Kiros and Hinton, 2016, over the channels of each cell. */
static void layer_norm(const call *c, int y) {
  const cam_node *node = c->node;
  int n = c->out.channels;
  for (int x = 0; x < c->out.width; x++) {
    const double *in = cell(&c->in[0], y, x);
    double mean = 0, variance = 0;
    for (int k = 0; k < n; k++)
      mean += in[k] / n;
    for (int k = 0; k < n; k++)
      variance += (in[k] - mean) * (in[k] - mean) / n;
    for (int k = 0; k < n; k++)
      cell(&c->out, y, x)[k] = (in[k] - mean) / sqrt(variance + node->epsilon) *
                                   reference_value(c, SLOT_SCALE, (size_t)k) +
                               reference_value(c, SLOT_SHIFT, (size_t)k);
  }
}

static void slice(const call *c, int y) {
  for (int x = 0; x < c->out.width; x++)
    memcpy(cell(&c->out, y, x), cell(&c->in[0], y, x) + c->node->begin,
           (size_t)c->out.channels * sizeof(double));
}

/* [groups, channels of a group] transposed. */
static void shuffle(const call *c, int y) {
  int groups = c->node->groups, n = c->out.channels / groups;
  for (int x = 0; x < c->out.width; x++)
    for (int g = 0; g < groups; g++)
      for (int k = 0; k < n; k++)
        cell(&c->out, y, x)[k * groups + g] = cell(&c->in[0], y, x)[g * n + k];
}

/* The nearest cell. */
static void repeat(const call *c, int y) {
  const int *factor = c->node->factor;
  for (int x = 0; x < c->out.width; x++)
    memcpy(cell(&c->out, y, x), cell(&c->in[0], y / factor[0], x / factor[1]),
           (size_t)c->out.channels * sizeof(double));
}

static void concat(const call *c, int y) {
  for (int x = 0; x < c->out.width; x++) {
    double *out = cell(&c->out, y, x);
    for (int i = 0; i < c->node->n_inputs; out += c->in[i].channels, i++)
      memcpy(out, cell(&c->in[i], y, x), (size_t)c->in[i].channels * sizeof *out);
  }
}

static void gap(const call *c, int row) {
  (void)row;
  int cells = c->in[0].height * c->in[0].width, channels = c->in[0].channels;
  for (int k = 0; k < channels; k++) {
    double sum = 0;
    for (int i = 0; i < cells; i++)
      sum += c->in[0].at[(size_t)i * (size_t)channels + (size_t)k];
    c->out.at[k] = sum / cells;
  }
}

static void unroll(const call *c, int row) {
  (void)row;
  memcpy(c->out.at, c->in[0].at, (size_t)c->out.channels * sizeof *c->out.at);
}

static void fc(const call *c, int row) {
  (void)row;
  const cam_tensor *weight = c->node->weight;
  size_t in = (size_t)weight->shape[1];
  for (int k = 0; k < c->out.channels; k++) {
    const double *exact = c->exact[SLOT_WEIGHT];
    double sum = bias_of(c, k);
    for (size_t i = 0; i < in && exact; i++)
      sum += c->in[0].at[i] * exact[(size_t)k * in + i];
    for (size_t i = 0; i < in && !exact; i++)
      sum += c->in[0].at[i] * weight->data[(size_t)k * in + i];
    c->out.at[k] = sum;
  }
}

static void run_row(void *closure, int row, int thread) {
  /* clang-format off */
  static void (*const rows[OP_COUNT])(const call *, int) = {
      [OP_CONV] = conv,
      [OP_MAX_POOL] = pool, [OP_AVG_POOL] = pool,
      [OP_RELU] = activate, [OP_RELU6] = activate, [OP_CLIP] = activate,
      [OP_SIGMOID] = activate, [OP_HARD_SIGMOID] = activate,
      [OP_SILU] = activate, [OP_HARD_SWISH] = activate, [OP_GELU] = activate,
      [OP_ADD] = add, [OP_MUL] = mul, [OP_AFFINE] = affine, [OP_LAYER_NORM] = layer_norm,
      [OP_CONCAT] = concat, [OP_SLICE] = slice, [OP_SHUFFLE] = shuffle, [OP_RESIZE] = repeat,
      [OP_GAP] = gap, [OP_FLATTEN] = unroll, [OP_FC] = fc,
  };
  /* clang-format on */
  const call *c = closure;
  (void)thread;
  rows[c->node->op](c, row);
}

void reference_node(const call *c, cam_team *team) {
  team_for(team, c->out.height, run_row, (void *)(uintptr_t)c);
}

static void run_int8_row(void *closure, int row, int thread) {
  (void)thread;
  reference_int8_row(closure, row);
}

/* ---- the network ---- */

/* Planes while the network runs, each there from its node to the last that reads it. */
typedef struct run {
  const cam_graph *graph;
  cam_team *team;
  int (*shape)[2]; /* [nodes] */
  int *last_use;   /* [nodes] */
  plane *planes;   /* [1 + nodes]: planes[0] is the picture, node i has planes[i + 1] */
} run;

static double *new_values(int height, int width, int channels) {
  return malloc((size_t)height * (size_t)width * (size_t)channels * sizeof(double));
}

static bool allocate_run(run *r, int height, int width) {
  size_t n = (size_t)r->graph->n_nodes;
  r->shape = calloc(n, sizeof *r->shape);
  r->last_use = calloc(n, sizeof *r->last_use);
  r->planes = calloc(n + 1, sizeof *r->planes);
  if (!r->shape || !r->last_use || !r->planes)
    return false;
  r->planes[0] = (plane){height, width, 3, new_values(height, width, 3)};
  return r->planes[0].at != NULL;
}

static void free_run(run *r) {
  for (int i = 0; r->planes && i <= r->graph->n_nodes; i++)
    free(r->planes[i].at);
  free(r->planes);
  free(r->last_use);
  free(r->shape);
}

/* Levels of a quantised plane <-> the values that they stand for. */
static void values_of_levels(quantization from, const plane *levels, double *out) {
  for (int i = 0; i < levels->height * levels->width * levels->channels; i++)
    out[i] = (levels->at[i] - from.zero_point) * (double)from.scale;
}

static void levels_of_values(quantization to, plane *values) {
  for (int i = 0; i < values->height * values->width * values->channels; i++) {
    const double level = rint(values->at[i] / (double)to.scale) + to.zero_point;
    values->at[i] = fmin(fmax(level, 0), 255);
  }
}

static plane *plane_made_by(const run *r, int node) { return &r->planes[node + 1]; }

/* An input of a node that is computed in float: of levels the values, in *copy, which is then for
 * free(). False: no memory. */
static bool read_values_of(const run *r, int from, plane *out, double **copy) {
  *out = *plane_made_by(r, from);
  if (from == GRAPH_INPUT || !is_quantized(&r->graph->nodes[from]))
    return true;
  *copy = new_values(out->height, out->width, out->channels);
  if (!*copy)
    return false;
  values_of_levels(r->graph->nodes[from].quantum, out, *copy);
  out->at = *copy;
  return true;
}

static bool run_float_node(run *r, call *c) {
  double *copies[NODE_MAX_INPUTS] = {NULL};
  bool enough = true;
  for (int k = 0; k < c->node->n_inputs && enough; k++)
    enough = read_values_of(r, c->node->inputs[k], &c->in[k], &copies[k]);
  if (enough)
    reference_node(c, r->team);
  if (enough && is_quantized(c->node))
    levels_of_values(c->node->quantum, &c->out);
  for (int k = 0; k < c->node->n_inputs; k++)
    free(copies[k]);
  return enough;
}

static bool run_int8_unit(run *r, call *c) {
  const int8_unit unit = quantized_unit(r->graph, c->node);
  int unused;
  for (int k = 0; k < unit.heart->n_inputs; k++)
    c->in[k] = *plane_made_by(r, unit.heart->inputs[k]);
  if (unit.residual != NO_NODE)
    c->residual = *plane_made_by(r, unit.residual);
  c->top = node_padding(unit.heart, 0, c->in[0].height, &unused);
  c->left = node_padding(unit.heart, 1, c->in[0].width, &unused);
  int32_t *bias = NULL;
  if (unit.heart->op == OP_CONV) {
    bias = malloc((size_t)c->out.channels * sizeof *bias);
    if (!bias)
      return false;
    quantized_biases(r->graph, unit.heart, bias);
  }
  c->bias = bias;
  team_for(r->team, c->out.height, run_int8_row, c);
  free(bias);
  return true;
}

/* in[0]: what the node reads; in[1]: the last plane. */
static bool run_int8_head(run *r, call *c) {
  c->in[0] = *plane_made_by(r, c->node->inputs[0]);
  c->in[1] = *plane_made_by(r, r->graph->nodes[r->graph->head].inputs[0]);
  reference_int8_head(c);
  return true;
}

/* The values that the head reads. */
static void copy_features(const run *r, double *features) {
  const int from = r->graph->nodes[r->graph->head].inputs[0];
  const plane *in = plane_made_by(r, from);
  if (from != GRAPH_INPUT && is_quantized(&r->graph->nodes[from]))
    values_of_levels(r->graph->nodes[from].quantum, in, features);
  else
    memcpy(features, in->at,
           (size_t)in->height * (size_t)in->width * (size_t)in->channels * sizeof *features);
}

static void free_unread(run *r, int i) {
  for (int from = 0; from < i; from++) {
    if (r->last_use[from] != i)
      continue;
    free(plane_made_by(r, from)->at);
    plane_made_by(r, from)->at = NULL;
  }
}

/* Node i's plane; false: no memory. */
static bool run_node(run *r, int i, double *features) {
  const cam_node *node = &r->graph->nodes[i];
  call c = {.graph = r->graph,
            .node = node,
            .out = {r->shape[i][0], r->shape[i][1], node->channels, NULL}};
  int unused;
  if (i == r->graph->head && features)
    copy_features(r, features);
  if (node->way == NODE_PART)
    return true;
  c.top = node_padding(node, 0, plane_made_by(r, node->inputs[0])->height, &unused);
  c.left = node_padding(node, 1, plane_made_by(r, node->inputs[0])->width, &unused);
  c.out.at = new_values(c.out.height, c.out.width, c.out.channels);
  if (!c.out.at)
    return false;
  r->planes[i + 1] = c.out;
  bool enough;
  if (node->way == NODE_INT8)
    enough = run_int8_unit(r, &c);
  else if (i >= r->graph->head && r->graph->int8_head)
    enough = run_int8_head(r, &c);
  else
    enough = run_float_node(r, &c);
  free_unread(r, i);
  return enough;
}

/* Of a unit, its last node reads for all of it; the last plane is kept for the head. */
static void note_last_uses(run *r) {
  const cam_graph *graph = r->graph;
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    for (int k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] >= 0)
        r->last_use[node->inputs[k]] = i;
    if (node->way != NODE_INT8)
      continue;
    const int8_unit unit = quantized_unit(graph, node);
    for (int k = 0; k < unit.heart->n_inputs; k++)
      if (unit.heart->inputs[k] >= 0)
        r->last_use[unit.heart->inputs[k]] = i;
    if (unit.residual >= 0)
      r->last_use[unit.residual] = i;
  }
  if (graph->nodes[graph->head].inputs[0] >= 0)
    r->last_use[graph->nodes[graph->head].inputs[0]] = graph->n_nodes;
}

/* The picture as the network sees it. */
static void read_picture(const run *r, const void *input) {
  const plane *picture = &r->planes[0];
  for (int i = 0; i < picture->height * picture->width * 3; i++) {
    if (r->graph->sees_bytes)
      picture->at[i] = ((const uint8_t *)input)[i];
    else
      picture->at[i] = ((const float *)input)[i];
  }
}

cam_code reference_forward(const cam_graph *graph, cam_team *team, const void *input, int height,
                           int width, double *logits, double *features, cam_error *error) {
  run r = {.graph = graph, .team = team};
  int n = graph->n_nodes;
  bool enough = allocate_run(&r, height, width);
  cam_code code = CAM_OK;
  if (enough)
    code = graph_shapes(graph, height, width, r.shape, error);
  if (enough && !code) {
    note_last_uses(&r);
    read_picture(&r, input);
    for (int i = 0; i < n && enough; i++)
      enough = run_node(&r, i, features);
  }
  if (!enough)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for the reference of %s at %d x %d",
                    graph->name, width, height);
  if (!code)
    memcpy(logits, r.planes[n].at, (size_t)graph->n_classes * sizeof *logits);
  free_run(&r);
  return code;
}

cam_code reference_head(const cam_graph *graph, cam_team *team, const double *features, int height,
                        int width, double *logits, cam_error *error) {
  run r = {.graph = graph, .team = team};
  const int n = graph->n_nodes, from = graph->nodes[graph->head].inputs[0];
  bool enough = allocate_run(&r, 1, 1);
  if (enough) {
    plane *in = &r.planes[from + 1];
    free(in->at);
    *in = (plane){height, width, graph->nodes[from].channels,
                  new_values(height, width, graph->nodes[from].channels)};
    enough = in->at != NULL;
    for (int i = 0; enough && i < height * width * in->channels; i++)
      in->at[i] = features[i];
    if (enough && is_quantized(&graph->nodes[from]))
      levels_of_values(graph->nodes[from].quantum, in);
  }
  for (int i = graph->head; i < n && enough; i++) {
    r.shape[i][0] = r.shape[i][1] = 1;
    enough = run_node(&r, i, NULL);
  }
  cam_code code = CAM_OK;
  if (enough)
    memcpy(logits, r.planes[n].at, (size_t)graph->n_classes * sizeof *logits);
  else
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for the head of %s", graph->name);
  free_run(&r);
  return code;
}
