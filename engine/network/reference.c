/* reference.c - reference.h: every operator from its definition, in double, in plain loops. Do not
 * make it fast: the fast operators are tested against it. A plane is [height,width,channels]; a
 * task is one row of one node's output. */
#include "reference.h"
#include <stdlib.h>
#include <string.h>

typedef struct plane {
  int height, width, channels;
  double *at;
} plane;

typedef struct call {
  const cam_node *node;
  plane in[NODE_MAX_INPUTS], out;
  int top, left; /* padding before */
} call;

static double *cell(const plane *p, int y, int x) {
  return p->at + ((size_t)y * (size_t)p->width + (size_t)x) * (size_t)p->channels;
}
static bool inside(const plane *p, int y, int x) {
  return y >= 0 && y < p->height && x >= 0 && x < p->width;
}

static void conv(const call *c, int y) {
  const cam_node *node = c->node;
  int in_group = c->in[0].channels / node->groups, out_group = c->out.channels / node->groups;
  for (int x = 0; x < c->out.width; x++) {
    double *out = cell(&c->out, y, x);
    for (int k = 0; k < c->out.channels; k++)
      out[k] = node->bias ? node->bias->data[k] : 0;
    for (int i = 0; i < node->kernel[0]; i++)
      for (int j = 0; j < node->kernel[1]; j++) {
        int yy = y * node->stride[0] - c->top + i, xx = x * node->stride[1] - c->left + j;
        if (!inside(&c->in[0], yy, xx))
          continue;
        const double *in = cell(&c->in[0], yy, xx);
        for (int g = 0; g < node->groups; g++)
          for (int a = 0; a < in_group; a++) {
            const float *weight =
                node->weight->data +
                (((size_t)i * (size_t)node->kernel[1] + (size_t)j) * (size_t)in_group + (size_t)a) *
                    (size_t)c->out.channels;
            for (int k = g * out_group; k < (g + 1) * out_group; k++)
              out[k] += in[g * in_group + a] * weight[k];
          }
      }
  }
}

static void pool(const call *c, int y) {
  const cam_node *node = c->node;
  for (int x = 0; x < c->out.width; x++)
    for (int k = 0; k < c->out.channels; k++) {
      double most = 0, sum = 0;
      int n = 0;
      for (int i = 0; i < node->kernel[0]; i++)
        for (int j = 0; j < node->kernel[1]; j++) {
          int yy = y * node->stride[0] - c->top + i, xx = x * node->stride[1] - c->left + j;
          if (!inside(&c->in[0], yy, xx))
            continue;
          double value = cell(&c->in[0], yy, xx)[k];
          most = !n || value > most ? value : most;
          sum += value;
          n++;
        }
      cell(&c->out, y, x)[k] = node->op == OP_MAX_POOL ? most : sum / n;
    }
}

static void elementwise(const call *c, int y) {
  size_t n = (size_t)c->out.width * (size_t)c->out.channels;
  const double *a = cell(&c->in[0], y, 0),
               *b = c->node->n_inputs > 1 ? cell(&c->in[1], y, 0) : NULL;
  double *out = cell(&c->out, y, 0);
  for (size_t i = 0; i < n; i++) {
    double value = b ? a[i] + b[i] : a[i];
    if (c->node->op != OP_ADD && value < 0)
      value = 0;
    if (c->node->op == OP_RELU6 && value > 6)
      value = 6;
    out[i] = value;
  }
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

static void fc(const call *c, int row) {
  (void)row;
  const cam_tensor *weight = c->node->weight, *bias = c->node->bias;
  size_t in = (size_t)weight->shape[1];
  for (int k = 0; k < c->out.channels; k++) {
    double sum = bias ? bias->data[k] : 0;
    for (size_t i = 0; i < in; i++)
      sum += c->in[0].at[i] * weight->data[(size_t)k * in + i];
    c->out.at[k] = sum;
  }
}

static void run_row(void *closure, int row, int thread) {
  static void (*const rows[OP_COUNT])(const call *, int) = {
      [OP_CONV] = conv,        [OP_MAX_POOL] = pool,     [OP_AVG_POOL] = pool,
      [OP_RELU] = elementwise, [OP_RELU6] = elementwise, [OP_ADD] = elementwise,
      [OP_CONCAT] = concat,    [OP_GAP] = gap,           [OP_FC] = fc,
  };
  const call *c = closure;
  (void)thread;
  rows[c->node->op](c, row);
}

cam_code reference_forward(const cam_graph *graph, cam_team *team, const float *input, int height,
                           int width, double *logits, double *features, cam_error *error) {
  int n = graph->n_nodes;
  cam_code code = CAM_OK;
  int(*shape)[2] = calloc((size_t)n, sizeof *shape),
  *last_use = calloc((size_t)n, sizeof *last_use);
  plane *planes = calloc((size_t)n + 1, sizeof *planes); /* planes[0] is the picture */
  if (!shape || !last_use || !planes ||
      !(planes[0].at = malloc((size_t)height * (size_t)width * 3 * sizeof(double))))
    goto no_memory;
  if ((code = graph_shapes(graph, height, width, shape, error)))
    goto out;
  planes[0] = (plane){height, width, 3, planes[0].at};
  for (int i = 0; i < height * width * 3; i++)
    planes[0].at[i] = input[i];
  for (int i = 0; i < n; i++)
    for (int k = 0; k < graph->nodes[i].n_inputs; k++)
      if (graph->nodes[i].inputs[k] >= 0)
        last_use[graph->nodes[i].inputs[k]] = i;

  for (int i = 0; i < n; i++) {
    const cam_node *node = &graph->nodes[i];
    call c = {.node = node, .out = {shape[i][0], shape[i][1], node->channels, NULL}};
    for (int k = 0; k < node->n_inputs; k++)
      c.in[k] = planes[node->inputs[k] + 1];
    int unused;
    c.top = node_padding(node, 0, c.in[0].height, &unused);
    c.left = node_padding(node, 1, c.in[0].width, &unused);
    c.out.at = malloc((size_t)c.out.height * (size_t)c.out.width * (size_t)c.out.channels *
                      sizeof(double));
    if (!c.out.at)
      goto no_memory;
    planes[i + 1] = c.out;
    if (node->op == OP_GAP && features)
      memcpy(features, c.in[0].at,
             (size_t)c.in[0].height * (size_t)c.in[0].width * (size_t)c.in[0].channels *
                 sizeof *features);
    team_for(team, c.out.height, run_row, &c);
    for (int k = 0; k < node->n_inputs; k++) {
      int from = node->inputs[k];
      if (from < 0 || last_use[from] != i)
        continue;
      free(planes[from + 1].at);
      planes[from + 1].at = NULL;
    }
  }
  memcpy(logits, planes[n].at, (size_t)graph->n_classes * sizeof *logits);
  goto out;
no_memory:
  code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for the reference of %s at %d x %d",
                  graph->name, width, height);
out:
  for (int i = 0; planes && i <= n; i++)
    free(planes[i].at);
  free(planes);
  free(last_use);
  free(shape);
  return code;
}
