/* reference_loss.c - reference_loss.h: every plane of a sample is kept, then the nodes are gone
 * through backward. */
#include "reference_loss.h"
#include "cut.h"
#include "reference_node.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct tape {
  const cam_graph *graph;
  int cut;
  const parameters *p;
  const double *values;
  double *gradient; /* as the values; NULL: not wanted */
  cam_team *team;
  int (*shape)[2];         /* [nodes] */
  reference_plane *planes; /* [1 + nodes]: planes[0] is the picture, node i has planes[i + 1] */
  double **gradients;      /* [1 + nodes] as the planes */
  double *dropped;         /* what the last fc reads where there is dropout */
} tape;

/* The planes behind the cut, and the cut's own. */
static bool allocate_tape(tape *t, int height, int width) {
  const int n = t->graph->n_nodes;
  for (int i = t->cut; i < n; i++) {
    reference_plane *p = &t->planes[i + 1];
    *p = (reference_plane){height, width, 3, NULL};
    if (i >= 0)
      p->channels = t->graph->nodes[i].channels;
    if (i > t->cut) {
      p->height = t->shape[i][0];
      p->width = t->shape[i][1];
    }
    p->at = malloc(reference_values(p) * sizeof *p->at);
    t->gradients[i + 1] = malloc(reference_values(p) * sizeof *p->at);
    if (!p->at || !t->gradients[i + 1])
      return false;
  }
  const int fc = cut_last_fc(t->graph);
  t->dropped = malloc((fc < 0 ? 1 : (size_t)t->graph->nodes[fc].weight->shape[1]) *
                      sizeof *t->dropped);
  return t->dropped != NULL;
}

static void free_tape(tape *t) {
  for (int i = 0; i <= t->graph->n_nodes; i++) {
    if (t->planes)
      free(t->planes[i].at);
    if (t->gradients)
      free(t->gradients[i]);
  }
  free(t->planes);
  free(t->gradients);
  free(t->shape);
  free(t->dropped);
}

/* ---- a node ---- */

static reference_call node_call_of(const tape *t, int i, const double *factors) {
  reference_call call = {.node = &t->graph->nodes[i], .out = t->planes[i + 1]};
  for (int k = 0; k < call.node->n_inputs; k++)
    call.in[k] = t->planes[call.node->inputs[k] + 1];
  if (factors && i == cut_last_fc(t->graph))
    call.in[0].at = t->dropped;
  reference_pad(&call);
  for (int slot = 0; slot < SLOTS; slot++)
    if (t->p->of[i][slot] >= 0)
      call.exact[slot] = t->values + t->p->list[t->p->of[i][slot]].at;
  return call;
}

static void sample_forward(tape *t, const double *factors) {
  const int fc = cut_last_fc(t->graph);
  for (int i = t->cut + 1; i < t->graph->n_nodes; i++) {
    const reference_call call = node_call_of(t, i, factors);
    const reference_plane *in = &t->planes[call.node->inputs[0] + 1];
    for (size_t k = 0; factors && i == fc && k < reference_values(in); k++)
      t->dropped[k] = in->at[k] * factors[k];
    reference_node(&call, t->team);
  }
}

static void sample_backward(tape *t, const double *factors) {
  const int n = t->graph->n_nodes, fc = cut_last_fc(t->graph);
  for (int i = t->cut; i < n - 1; i++)
    memset(t->gradients[i + 1], 0, reference_values(&t->planes[i + 1]) * sizeof **t->gradients);
  for (int i = n - 1; i > t->cut; i--) {
    const reference_call call = node_call_of(t, i, factors);
    reference_gradient to = {.out = t->gradients[i + 1]};
    for (int k = 0; k < call.node->n_inputs; k++)
      to.in[k] = t->gradients[call.node->inputs[k] + 1];
    for (int slot = 0; slot < SLOTS; slot++)
      if (t->p->of[i][slot] >= 0)
        to.tensor[slot] = t->gradient + t->p->list[t->p->of[i][slot]].at;
    reference_node_adjoint(&call, &to);
    for (size_t k = 0; factors && i == fc && k < reference_values(&call.in[0]); k++)
      to.in[0][k] *= factors[k];
  }
}

/* ---- the loss ---- */

/* Cross-entropy of a sample, and what it is by the logits into gradient. */
static double cross_entropy(const double *logits, int n, int label, double *gradient) {
  double most = logits[0], sum = 0;
  for (int c = 1; c < n; c++)
    most = fmax(most, logits[c]);
  for (int c = 0; c < n; c++)
    sum += exp(logits[c] - most);
  for (int c = 0; c < n; c++)
    gradient[c] = exp(logits[c] - most) / sum - (c == label);
  return log(sum) + most - logits[label];
}

static void run_sample(tape *t, const reference_batch *batch, int sample, double loss[2],
                       double *logits) {
  const int n = t->graph->n_nodes, classes = t->graph->n_classes, fc = cut_last_fc(t->graph);
  const reference_plane *in = &t->planes[t->cut + 1];
  const double *factors = NULL;
  if (batch->factors && fc >= 0)
    factors = batch->factors + (size_t)sample * (size_t)t->graph->nodes[fc].weight->shape[1];
  for (size_t i = 0; i < reference_values(in); i++)
    in->at[i] = batch->planes[sample][i];
  sample_forward(t, factors);
  double share = 1.0 / batch->n;
  if (batch->weights)
    share *= batch->weights[sample];
  loss[0] += share *
             cross_entropy(t->planes[n].at, classes, batch->labels[sample], t->gradients[n]);
  for (int c = 0; c < classes; c++)
    t->gradients[n][c] *= share;
  if (logits)
    memcpy(logits, t->planes[n].at, (size_t)classes * sizeof *logits);
  if (t->gradient)
    sample_backward(t, factors);
}

static void add_decay(const tape *t, double decay, double loss[2]) {
  for (int i = 0; i < t->p->n; i++) {
    const parameter *p = &t->p->list[i];
    const double *w = t->values + p->at;
    for (size_t k = 0; k < p->tensor->count && p->decays; k++) {
      loss[1] += decay * w[k] * w[k] / 2;
      if (t->gradient)
        t->gradient[p->at + k] += decay * w[k];
    }
  }
}

static cam_code lay_tape(tape *t, const reference_batch *batch, cam_error *error) {
  const cam_graph *graph = t->graph;
  const size_t n = (size_t)graph->n_nodes;
  t->shape = calloc(n, sizeof *t->shape);
  t->planes = calloc(n + 1, sizeof *t->planes);
  t->gradients = calloc(n + 1, sizeof *t->gradients);
  if (!t->shape || !t->planes || !t->gradients)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the gradient of %s", graph->name);
  cam_code code = cut_shapes(graph, t->cut, batch->height, batch->width, t->shape, error);
  if (!code && !allocate_tape(t, batch->height, batch->width))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for the gradient of %s", graph->name);
  return code;
}

cam_code reference_loss(const cam_graph *graph, int cut, const parameters *p, const double *values,
                        const reference_batch *batch, double decay, cam_team *team, double loss[2],
                        double *gradient, double *logits, cam_error *error) {
  tape t = {graph, cut, p, values, gradient, team, NULL, NULL, NULL, NULL};
  cam_code code = lay_tape(&t, batch, error);
  loss[0] = loss[1] = 0;
  if (gradient)
    memset(gradient, 0, p->count * sizeof *gradient);
  for (int i = 0; i < batch->n && !code; i++) {
    double *to = NULL;
    if (logits)
      to = logits + (size_t)i * (size_t)graph->n_classes;
    run_sample(&t, batch, i, loss, to);
  }
  if (!code)
    add_decay(&t, decay, loss);
  free_tape(&t);
  return code;
}
