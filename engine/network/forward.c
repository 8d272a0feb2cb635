/* forward.c - one worker's run of a network: shapes and places for an input's size, then layer by
 * layer over the team. Flow: resize -> [forward] -> class maps.   Thread: worker; no allocation
 * once the arena fits. Planes share the arena by lifetime. */
#include "layers.h"
#include "tail.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { SLACK = 32 /* floats that a kernel may read past a plane */ };

struct forward {
  const network *net;
  cam_team *team;
  int threads, height, width; /* of the plan; 0: none */
  int (*shape)[2];            /* [nodes] */
  step *steps;                /* [layers] */
  size_t *place, *end,
      *common;   /* [layers]: of its plane, and of what its phases share, in the arena, in floats */
  int *last_use; /* [layers] */
  float *arena;  /* the picture, the planes, then each thread's scratch */
  size_t arena_floats, scratch; /* scratch: of one thread */
  tail tail;
};

static float *arena_map(size_t floats) {
  float *p = mmap(NULL, floats * sizeof *p, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                  0);
  return p == MAP_FAILED ? NULL : p;
}

/* The lowest place for `size` floats, from `from` on, that overlaps none of the first i planes that
 * layer `needed` or a later one reads. */
static size_t find_place(const forward *f, int i, int needed, size_t from, size_t size) {
  for (bool moved = true; moved;) {
    moved = false;
    for (int j = 0; j < i; j++)
      if (f->last_use[j] >= needed && from < f->end[j] && f->place[j] < from + size) {
        from = f->end[j];
        moved = true;
      }
  }
  return from;
}

static size_t rounded(size_t floats) { return (floats + SLACK + 15) / 16 * 16; }

/* Shapes, places and pieces for an input of height x width; *floats: how long an arena that takes.
 */
static cam_code lay_out(forward *f, int height, int width, size_t *floats, cam_error *error) {
  const network *net = f->net;
  const cam_graph *graph = net->graph;
  cam_code code = graph_shapes(graph, height, width, f->shape, error);
  if (code)
    return code;
  const size_t picture = rounded((size_t)height * (size_t)width * 3);
  size_t top = picture;
  f->scratch = 0;
  for (int i = 0; i < net->n_layers; i++) {
    const layer *l = &net->layers[i];
    step *s = &f->steps[i];
    const int picture_size[2] = {height, width},
              *out = l->last ? f->shape[l->last - graph->nodes] : picture_size;
    *s = (step){.l = l,
                .out_height = out[0],
                .out_width = out[1],
                .out_stride = network_stride(net, l->channels)};
    for (int k = 0; k < l->n_inputs; k++) {
      const step *from = l->inputs[k] == GRAPH_INPUT ? NULL : &f->steps[l->inputs[k]];
      s->in_channels[k] = from ? from->l->channels : 3;
      s->in_strides[k] = from ? from->out_stride : 3;
      s->in_height = from ? from->out_height : height;
      s->in_width = from ? from->out_width : width;
    }
    int unused;
    s->top = node_padding(l->node, 0, s->in_height, &unused);
    s->left = node_padding(l->node, 1, s->in_width, &unused);
    l->type->plan(net, s, f->threads);
    if (s->scratch > f->scratch)
      f->scratch = s->scratch;
    size_t size = rounded((size_t)s->out_height * (size_t)s->out_width * (size_t)s->out_stride);
    f->place[i] = find_place(f, i, i, picture, size);
    f->end[i] = f->place[i] + size;
    if (f->end[i] > top)
      top = f->end[i];
    if (!s->shared)
      continue;
    f->common[i] = find_place(f, i + 1, i, picture,
                              rounded(s->shared)); /* clear of this layer's inputs and output */
    if (f->common[i] + rounded(s->shared) > top)
      top = f->common[i] + rounded(s->shared);
  }
  const step *last = &f->steps[net->features];
  size_t for_tail = tail_scratch_floats(net, last->out_height, last->out_width);
  f->scratch = rounded(f->scratch > for_tail ? f->scratch : for_tail);
  *floats = top + f->scratch * (size_t)f->threads;
  return CAM_OK;
}

static void find_last_uses(forward *f) {
  const network *net = f->net;
  for (int i = 0; i < net->n_layers; i++) {
    const layer *l = &net->layers[i];
    f->last_use[i] = i;
    for (int k = 0; k < l->n_inputs; k++)
      if (l->inputs[k] >= 0)
        f->last_use[l->inputs[k]] = i;
    if (l->residual >= 0)
      f->last_use[l->residual] = i;
  }
  f->last_use[net->features] = net->n_layers;
}

cam_code forward_create(const network *net, cam_team *team, forward **out, cam_error *error) {
  *out = NULL;
  const cam_graph *graph = net->graph;
  size_t layers = (size_t)net->n_layers;
  forward *f = calloc(1, sizeof *f);
  if (!f)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a worker of %s", graph->name);
  f->net = net;
  f->team = team;
  f->threads = team_threads(team);
  f->shape = calloc((size_t)graph->n_nodes, sizeof *f->shape);
  f->steps = calloc(layers, sizeof *f->steps);
  f->place = calloc(layers, sizeof *f->place);
  f->end = calloc(layers, sizeof *f->end);
  f->common = calloc(layers, sizeof *f->common);
  f->last_use = calloc(layers, sizeof *f->last_use);
  f->tail = (tail){.net = net,
                   .team = team,
                   .mean = calloc(tail_mean_floats(net), sizeof(float)),
                   .sums = calloc(tail_sums_floats(net) + 1, sizeof(float))};
  cam_code code = CAM_OK;
  if (!f->shape || !f->steps || !f->place || !f->end || !f->common || !f->last_use ||
      !f->tail.mean || !f->tail.sums)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for a worker of %s", graph->name);
  if (!code)
    find_last_uses(f);
  int side = graph->height < graph->width ? graph->height : graph->width;
  const int ends[3][2] = {
      {graph->height, graph->width}, {side, graph->max_side}, {graph->max_side, side}};
  for (int i = 0; i < 3 && !code; i++) {
    size_t floats;
    code = lay_out(f, ends[i][0], ends[i][1], &floats, error);
    if (!code && floats > f->arena_floats)
      f->arena_floats = floats;
  }
  if (!code && !(f->arena = arena_map(f->arena_floats)))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for an arena of %zu floats",
                    f->arena_floats);
  if (code)
    forward_free(f);
  else
    *out = f;
  return code;
}

void forward_free(forward *f) {
  if (!f)
    return;
  if (f->arena)
    munmap(f->arena, f->arena_floats * sizeof *f->arena);
  free(f->shape);
  free(f->steps);
  free(f->place);
  free(f->end);
  free(f->common);
  free(f->last_use);
  free(f->tail.mean);
  free(f->tail.sums);
  free(f);
}

static float *scratch_of(const forward *f, int thread) {
  return f->arena + f->arena_floats - f->scratch * (size_t)(thread + 1);
}

static void plan_tail(forward *f) {
  const cam_node *linear = f->net->linear;
  const step *last = &f->steps[f->net->features];
  tail *t = &f->tail;
  t->plane = last->out;
  t->height = t->map_height = last->out_height;
  t->width = t->map_width = last->out_width;
  t->stride = last->out_stride;
  if (linear) {
    t->top = node_padding(linear, 0, t->height, &t->map_height);
    t->left = node_padding(linear, 1, t->width, &t->map_width);
  }
  t->scratch = scratch_of(f, 0);
  t->scratch_step = f->scratch;
}

cam_code forward_plan(forward *f, int height, int width, float **input, cam_error *error) {
  if (f->height != height || f->width != width) {
    f->height = f->width = 0;
    size_t floats;
    cam_code code = lay_out(f, height, width, &floats, error);
    if (code)
      return code;
    if (floats > f->arena_floats) { /* a shape between the ends that needs more than both */
      float *arena = arena_map(floats);
      if (!arena)
        return cam_fail(error, CAM_E_NO_MEMORY, "no memory for an arena of %zu floats", floats);
      munmap(f->arena, f->arena_floats * sizeof *arena);
      f->arena = arena;
      f->arena_floats = floats;
    }
    for (int i = 0; i < f->net->n_layers; i++) {
      const layer *l = &f->net->layers[i];
      step *s = &f->steps[i];
      s->out = f->arena + f->place[i];
      s->common = f->arena + f->common[i];
      for (int k = 0; k < l->n_inputs; k++)
        s->in[k] = l->inputs[k] == GRAPH_INPUT ? f->arena : f->arena + f->place[l->inputs[k]];
      s->residual = l->residual >= 0 ? f->arena + f->place[l->residual] : NULL;
    }
    plan_tail(f);
    f->height = height;
    f->width = width;
  }
  *input = f->arena;
  return CAM_OK;
}

typedef struct run_call {
  const forward *f;
  const step *s;
  int phase;
} run_call;
static void run_piece(void *closure, int piece, int thread) {
  const run_call *call = closure;
  call->s->l->type->run(call->f->net, call->s, call->phase, piece, scratch_of(call->f, thread));
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

void forward_run(forward *f, float *logits, double *layer_ms) {
  const network *net = f->net;
  for (int i = 0; i < net->n_layers; i++) {
    double begin = layer_ms ? now_ms() : 0;
    for (int phase = 0; phase < 2; phase++) {
      run_call call = {f, &f->steps[i], phase};
      team_for(f->team, call.s->pieces[phase], run_piece, &call);
    }
    if (layer_ms)
      layer_ms[i] = now_ms() - begin;
  }
  tail_logits(&f->tail, logits);
}

void forward_map_size(const forward *f, int *height, int *width) {
  *height = f->tail.map_height;
  *width = f->tail.map_width;
}

void forward_class_maps(forward *f, int n, const int *class_ids, float *const *maps) {
  tail_class_maps(&f->tail, n, class_ids, maps);
}

void forward_layer(const forward *f, int index, layer_cost *cost) {
  const step *s = &f->steps[index];
  const layer *l = s->l;
  int out[2];
  node_padding(l->node, 0, s->in_height,
               &out[0]); /* of the operator at its heart: before any pooling */
  node_padding(l->node, 1, s->in_width, &out[1]);
  *cost = (layer_cost){.name = l->last ? l->node->name : "picture",
                       .kind = l->type->name,
                       .height = s->out_height,
                       .width = s->out_width,
                       .channels = l->channels};
  for (int k = 0; k < l->n_parts;
       k++) { /* of a block; an expansion works on the plane before the depthwise part */
    const layer *p = &l->parts[k];
    bool before = k + 2 < l->n_parts;
    cost->multiply_adds += node_multiply_adds(p->node, before ? s->in_height : s->out_height,
                                              before ? s->in_width : s->out_width);
    cost->weight_bytes += p->weight_count * sizeof(float);
  }
  if (l->last && !l->n_parts)
    cost->multiply_adds = node_multiply_adds(l->node, out[0], out[1]);
  cost->products = l->type->run == winograd_run ? winograd_products(s) : cost->multiply_adds;
  cost->weight_bytes += l->weight_count * sizeof(float);
  for (int k = 0; k < l->n_inputs; k++)
    cost->plane_bytes += (size_t)s->in_height * (size_t)s->in_width * (size_t)s->in_strides[k] *
                         sizeof(float);
  cost->plane_bytes += (size_t)s->out_height * (size_t)s->out_width * (size_t)s->out_stride *
                       sizeof(float) * (s->residual ? 2 : 1);
}
