/* chain.c - chain.h. Flow: tail -> [chain] -> tail. Thread: worker, pieces on its team. A node's
 * output is a vector, kept from chain_logits on: the slope of what follows depends on it. Products
 * are OpenBLAS's, one a piece; a piece is the same whatever the team, so that no sum depends on
 * threads. */
#include "chain.h"
#include "blas.h"
#include "cam_minmax.h"
#include <stdlib.h>
#include <string.h>

enum { OUTPUTS_A_PIECE = 128, INPUTS_A_PIECE = 512, ROWS_A_BLOCK = 256 };

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
static void measure(chain *c, size_t room) {
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
    measure(c, room);
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

static double relu_value(const cam_node *node, double x) {
  (void)node;
  if (x < 0)
    return 0;
  return x;
}
static double relu_slope(const cam_node *node, double x) {
  (void)node;
  return x > 0;
}
static double relu6_value(const cam_node *node, double x) {
  if (x > 6)
    return 6;
  return relu_value(node, x);
}
static double relu6_slope(const cam_node *node, double x) {
  (void)node;
  return x > 0 && x < 6;
}

static const struct {
  double (*value)(const cam_node *node, double x);
  double (*slope)(const cam_node *node, double x);
} activations[OP_COUNT] = {
    /* clang-format off */
    [OP_RELU]  = {relu_value, relu_slope},
    [OP_RELU6] = {relu6_value, relu6_slope},
    /* clang-format on */
};

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

static void run_node(chain *c, int k) {
  const cam_node *node = &c->nodes[k];
  if (node->op == OP_FC) {
    node_call call = {.c = c, .node = node, .k = k};
    team_for(c->team, (node->channels + OUTPUTS_A_PIECE - 1) / OUTPUTS_A_PIECE, multiply, &call);
    return;
  }
  for (size_t i = 0; i < c->length[k]; i++)
    c->values[k + 1][i] = (float)activations[node->op].value(node, c->values[k][i]);
}

void chain_logits(chain *c, float *logits) {
  for (int k = 0; k < c->n; k++)
    run_node(c, k);
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

static void node_back(node_call *call) {
  chain *c = call->c;
  const cam_node *node = call->node;
  if (node->op == OP_FC) {
    team_for(c->team, ((int)node->weight->shape[1] + INPUTS_A_PIECE - 1) / INPUTS_A_PIECE,
             multiply_back, call);
    return;
  }
  const float *x = c->values[call->k];
  for (int i = 0; i < call->n; i++)
    for (size_t j = 0; j < c->length[call->k]; j++)
      c->gradients[i][call->to][j] = c->gradients[i][call->from][j] *
                                     (float)activations[node->op].slope(node, x[j]);
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
