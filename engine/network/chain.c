/* chain.c - chain.h. Flow: tail -> [chain] -> tail. Thread: worker, pieces on its team. A node's
 * output is a vector, kept from chain_logits on: the slope of what follows depends on it. Products
 * are OpenBLAS's, one a piece; a piece is the same whatever the team, so that no sum depends on
 * threads. */
#include "chain.h"
#include "blas.h"
#include "cam_minmax.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  OUTPUTS_A_PIECE = 128,
  INPUTS_A_PIECE = 1024,
  ROWS_A_BLOCK = 64,
  MOST_FLOATS = 1 << 26 /* of all vectors */
};

struct chain {
  cam_team *team;
  int n;                              /* nodes */
  const cam_node *nodes;              /* [n]; node k reads values[k] and writes values[k + 1] */
  size_t *length;                     /* [n + 1] of values */
  size_t longest;                     /* room of each vector */
  float **values;                     /* [n + 1] */
  float *gradients[CHAIN_CLASSES][2]; /* by turns: one is read, the other written */
  float *memory;                      /* values and gradients */
};

static size_t in_lines(size_t floats) { return (floats + 15) / 16 * 16; }

/* Lengths of the values, and of the longest of them, of which each gradient has one as well. */
static void measure_vectors(chain *c, size_t room) {
  for (int k = 0; k <= c->n; k++) {
    c->length[k] = (size_t)c->nodes[k - 1].channels; /* values[0]: of the node before the chain */
    c->longest = max_size(c->longest, in_lines(c->length[k]));
  }
  c->longest = max_size(c->longest, in_lines(room));
}

/* The values one after another, then the gradients. */
static bool allocate_vectors(chain *c) {
  const size_t vectors = (size_t)c->n + 1 + 2 * CHAIN_CLASSES;
  float *at = c->memory = calloc(vectors * c->longest, sizeof *c->memory);
  if (!c->memory)
    return false;
  for (int k = 0; k <= c->n; k++, at += c->longest)
    c->values[k] = at;
  for (int i = 0; i < CHAIN_CLASSES; i++)
    for (int turn = 0; turn < 2; turn++, at += c->longest)
      c->gradients[i][turn] = at;
  return true;
}

cam_code chain_create(const cam_graph *graph, size_t room, cam_team *team, chain **out,
                      cam_error *error) {
  const int n = graph->n_nodes - 1 - graph->head;
  chain *c = *out = calloc(1, sizeof *c);
  if (!c)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a head of %d nodes", n);
  c->team = team;
  c->n = n;
  c->nodes = graph->nodes + graph->head + 1;
  c->length = calloc((size_t)n + 1, sizeof *c->length);
  c->values = calloc((size_t)n + 1, sizeof *c->values);
  if (c->length && c->values) {
    measure_vectors(c, room);
    if (c->longest > MOST_FLOATS / ((size_t)n + 1 + 2 * CHAIN_CLASSES))
      return cam_fail(error, CAM_E_MODEL,
                      "a head of %d nodes with vectors of %zu values: too large", n, c->longest);
    if (allocate_vectors(c))
      return CAM_OK;
  }
  return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a head of %d nodes", n);
}

void chain_free(chain *c) {
  if (!c)
    return;
  free(c->memory);
  free(c->values);
  free(c->length);
  free(c);
}

float *chain_input(chain *c) { return c->values[0]; }

/* ---- activations: a value, and its slope; 0 at a kink ---- */

static double sigmoid_at(double x) { return 1 / (1 + exp(-x)); }
/* Of the normal distribution: the share below x, and the density. */
static double share_below(double x) { return (1 + erf(x * M_SQRT1_2)) / 2; }
static double density(double x) { return exp(-x * x / 2) / sqrt(2 * M_PI); }
static bool is_within(double x, double least, double most) { return x > least && x < most; }

static double activated_value(const cam_node *node, double x) {
  switch (node->op) {
  case OP_RELU:
    return fmax(x, 0);
  case OP_RELU6:
    return fmin(fmax(x, 0), 6);
  case OP_CLIP:
    return fmin(fmax(x, node->least), node->most);
  case OP_SIGMOID:
    return sigmoid_at(x);
  case OP_HARD_SIGMOID:
    return fmin(fmax(node->slope * x + node->offset, 0), 1);
  case OP_SILU:
    return x * sigmoid_at(x);
  case OP_HARD_SWISH:
    return x * fmin(fmax(x + 3, 0), 6) / 6;
  case OP_GELU:
    return x * share_below(x);
  default:
    return x;
  }
}

static double activation_slope(const cam_node *node, double x) {
  const double s = sigmoid_at(x);
  switch (node->op) {
  case OP_RELU:
    return x > 0;
  case OP_RELU6:
    return is_within(x, 0, 6);
  case OP_CLIP:
    return is_within(x, node->least, node->most);
  case OP_SIGMOID:
    return s * (1 - s);
  case OP_HARD_SIGMOID:
    return node->slope * is_within(node->slope * x + node->offset, 0, 1);
  case OP_SILU:
    return s + x * s * (1 - s);
  case OP_HARD_SWISH:
    if (is_within(x, -3, 3))
      return (2 * x + 3) / 6;
    return x > 0;
  case OP_GELU:
    return share_below(x) + x * density(x);
  default:
    return 1;
  }
}

/* ---- over all channels: affine, layer norm (Ba, Kiros and Hinton, 2016) ---- */

/* What makes of the input its values of mean 0 and variance 1; those of an affine are as they are.
 */
typedef struct normal {
  double mean, factor;
} normal;

static normal normal_of(const cam_node *node, const float *x) {
  normal at = {0, 1};
  double variance = 0;
  const int n = node->channels;
  if (node->op != OP_LAYER_NORM)
    return at;
  for (int i = 0; i < n; i++)
    at.mean += x[i];
  at.mean /= n;
  for (int i = 0; i < n; i++)
    variance += (x[i] - at.mean) * (x[i] - at.mean);
  at.factor = 1 / sqrt(variance / n + node->epsilon);
  return at;
}

static void scale_values(const cam_node *node, const float *x, float *out) {
  const normal at = normal_of(node, x);
  for (int i = 0; i < node->channels; i++)
    out[i] = (float)((x[i] - at.mean) * at.factor * node->scale->data[i] + node->shift->data[i]);
}

/* Mean and deviation depend on every value: what all of them together do to the output, each by its
 * own share, is taken off. */
static void scale_back(const cam_node *node, const float *x, const float *from, float *to) {
  const normal at = normal_of(node, x);
  const int n = node->channels;
  double mean = 0, along = 0; /* of the gradient, and along the values of variance 1 */
  for (int i = 0; i < n && node->op == OP_LAYER_NORM; i++) {
    const double gradient = (double)from[i] * node->scale->data[i];
    mean += gradient / n;
    along += gradient * (x[i] - at.mean) * at.factor / n;
  }
  for (int i = 0; i < n; i++)
    to[i] = (float)(((double)from[i] * node->scale->data[i] - mean -
                     (x[i] - at.mean) * at.factor * along) *
                    at.factor);
}

/* ---- forward ---- */

typedef struct node_call {
  chain *c;
  const cam_node *node;
  int k;           /* node = c->nodes + k */
  int n, from, to; /* backward: gradients, and which of their two turns are read and written */
} node_call;

static void multiply(void *closure, int piece, int thread) {
  const node_call *call = closure;
  const cam_node *node = call->node;
  (void)thread;
  const int in = (int)node->weight->shape[1], first = piece * OUTPUTS_A_PIECE,
            n = min_int(OUTPUTS_A_PIECE, node->channels - first);
  float *out = call->c->values[call->k + 1] + first;
  blas_matrix_vector(n, in, node->weight->data + (size_t)first * (size_t)in, in,
                     call->c->values[call->k], out);
  for (int i = 0; i < n && node->bias; i++)
    out[i] += node->bias->data[first + i];
}

static void run_forward(chain *c, int k) {
  const cam_node *node = &c->nodes[k];
  node_call call = {.c = c, .node = node, .k = k};
  switch (node->op) {
  case OP_FC:
    team_for(c->team, (node->channels + OUTPUTS_A_PIECE - 1) / OUTPUTS_A_PIECE, multiply, &call);
    return;
  case OP_AFFINE:
  case OP_LAYER_NORM:
    scale_values(node, c->values[k], c->values[k + 1]);
    return;
  default:
    for (size_t i = 0; i < c->length[k]; i++)
      c->values[k + 1][i] = (float)activated_value(node, c->values[k][i]);
  }
}

void chain_logits(chain *c, float *logits) {
  for (int k = 0; k < c->n; k++)
    run_forward(c, k);
  memcpy(logits, c->values[c->n], c->length[c->n] * sizeof *logits);
}

/* ---- backward ---- */

/* The gradients by a range of an fc's inputs: gradient^T times those columns of its weights, block
 * of rows by block, so that a block is still in the cache when the next class needs it. */
static void multiply_back(void *closure, int piece, int thread) {
  const node_call *call = closure;
  const cam_node *node = call->node;
  (void)thread;
  const int in = (int)node->weight->shape[1], first = piece * INPUTS_A_PIECE,
            n = min_int(INPUTS_A_PIECE, in - first);
  for (int i = 0; i < call->n; i++)
    memset(call->c->gradients[i][call->to] + first, 0, (size_t)n * sizeof(float));
  for (int row = 0; row < node->channels; row += ROWS_A_BLOCK)
    for (int i = 0; i < call->n; i++) {
      float part[INPUTS_A_PIECE], *to = call->c->gradients[i][call->to] + first;
      blas_vector_matrix(min_int(ROWS_A_BLOCK, node->channels - row), n,
                         node->weight->data + (size_t)row * (size_t)in + (size_t)first, in,
                         call->c->gradients[i][call->from] + row, part);
      for (int j = 0; j < n; j++)
        to[j] += part[j];
    }
}

/* One class's gradient through a node that is no product. */
static void values_back(const node_call *call, const float *from, float *to) {
  const chain *c = call->c;
  const cam_node *node = call->node;
  const float *x = c->values[call->k];
  if (node->op == OP_AFFINE || node->op == OP_LAYER_NORM) {
    scale_back(node, x, from, to);
    return;
  }
  for (size_t i = 0; i < c->length[call->k]; i++)
    to[i] = from[i] * (float)activation_slope(node, x[i]);
}

static void node_back(node_call *call) {
  chain *c = call->c;
  const cam_node *node = call->node;
  if (node->op == OP_FC) {
    team_for(c->team, ((int)node->weight->shape[1] + INPUTS_A_PIECE - 1) / INPUTS_A_PIECE,
             multiply_back, call);
    return;
  }
  for (int i = 0; i < call->n; i++)
    values_back(call, c->gradients[i][call->from], c->gradients[i][call->to]);
}

/* The gradient of a logit by what the last fc reads is a row of its weights, by itself 1. */
static int first_gradients(chain *c, int n, const int *class_ids) {
  const cam_node *last = &c->nodes[c->n - 1];
  const bool by_row = c->n && last->op == OP_FC;
  for (int i = 0; i < n; i++) {
    float *gradient = c->gradients[i][0];
    if (by_row) {
      const size_t in = c->length[c->n - 1];
      memcpy(gradient, last->weight->data + (size_t)class_ids[i] * in, in * sizeof *gradient);
    } else {
      memset(gradient, 0, c->length[c->n] * sizeof *gradient);
      gradient[class_ids[i]] = 1;
    }
  }
  return c->n - by_row;
}

void chain_gradients(chain *c, int n, const int *class_ids, const float **gradients) {
  int turn = 0;
  for (int k = first_gradients(c, n, class_ids) - 1; k >= 0; k--, turn = !turn) {
    node_call call = {c, &c->nodes[k], k, n, turn, !turn};
    node_back(&call);
  }
  for (int i = 0; i < n; i++)
    gradients[i] = c->gradients[i][turn];
}
