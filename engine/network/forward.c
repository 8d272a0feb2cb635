/* forward.c - forward.h: shapes and places for an input's size, then layer by layer over the team.
 * Flow: resize -> [forward] -> class maps. Thread: worker; no allocation once the arena fits.
 *
 * The arena holds the picture, then the planes, then each thread's scratch. Planes share it by
 * lifetime: a layer's plane lies where no plane lies that this layer or a later one reads. */
#include "forward.h"
#include "cam_clock.h"
#include "cam_minmax.h"
#include "layers.h"
#include "tail.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SLACK = 32 /* floats that a kernel may read past a plane: more than INT8_BEHIND bytes */ };

/* Where a layer's plane is in the arena, and what its phases share, in floats from the start. */
typedef struct place {
  size_t begin, end, common;
  int last_use; /* the last layer that reads the plane */
} place;

struct forward {
  const network *net;
  cam_team *team;
  int threads, height, width; /* of the plan; 0: none */
  int (*shape)[2];            /* [nodes] */
  step *steps;                /* [layers] */
  place *places;              /* [layers] */
  float *arena;
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
    for (int j = 0; j < i; j++) {
      const place *p = &f->places[j];
      if (p->last_use >= needed && from < p->end && p->begin < from + size) {
        from = p->end;
        moved = true;
      }
    }
  }
  return from;
}

static size_t rounded(size_t floats) { return (floats + SLACK + 15) / 16 * 16; }

/* Values from cell to cell of a layer's plane. */
static int stride_of(const network *net, const layer *l) {
  if (l->levels)
    return level_stride(l->channels);
  return cell_stride(net, l->channels);
}

/* Floats of the arena that so many values take. */
static size_t plane_floats(const layer *l, size_t values) {
  if (l->levels)
    return (values + sizeof(float) - 1) / sizeof(float);
  return values;
}

/* Shapes and pieces of layer i, whose inputs have theirs. height, width: of the picture. */
static void plan_step(forward *f, int i, int height, int width) {
  const network *net = f->net;
  const layer *l = &net->layers[i];
  step *s = &f->steps[i];
  *s = (step){.l = l, .out_height = height, .out_width = width, .out_stride = stride_of(net, l)};
  if (l->last) {
    const int *shape = f->shape[l->last - net->graph->nodes];
    s->out_height = shape[0];
    s->out_width = shape[1];
  }
  for (int k = 0; k < l->n_inputs; k++) {
    const step picture = {.out_height = height, .out_width = width, .out_stride = 3},
               *from = &picture;
    s->in_channels[k] = 3;
    if (l->inputs[k] != GRAPH_INPUT) {
      from = &f->steps[l->inputs[k]];
      s->in_channels[k] = from->l->channels;
    }
    s->in_strides[k] = from->out_stride;
    s->in_cells[k] = from->out_height * from->out_width;
    if (k > 0)
      continue;
    s->in_height = from->out_height;
    s->in_width = from->out_width;
  }
  int unused;
  s->top = node_padding(l->node, 0, s->in_height, &unused);
  s->left = node_padding(l->node, 1, s->in_width, &unused);
  l->type->plan(net, s, f->threads);
}

/* A place for the plane of layer i, after the picture's `picture` floats; returns how far the arena
 * is used. */
static size_t place_step(forward *f, int i, size_t picture) {
  const step *s = &f->steps[i];
  place *p = &f->places[i];
  size_t size = rounded(
      plane_floats(s->l, (size_t)s->out_height * (size_t)s->out_width * (size_t)s->out_stride));
  p->begin = find_place(f, i, i, picture, size);
  p->end = p->begin + size;
  if (!s->shared)
    return p->end;
  size_t shared = rounded(s->shared); /* clear of this layer's inputs and output */
  p->common = find_place(f, i + 1, i, picture, shared);
  return max_size(p->end, p->common + shared);
}

/* Shapes, places and pieces for an input of height x width; *floats: how long an arena that takes.
 */
static cam_code lay_out(forward *f, int height, int width, size_t *floats, cam_error *error) {
  const network *net = f->net;
  cam_code code = graph_shapes(net->graph, height, width, f->shape, error);
  if (code)
    return code;
  const size_t picture = rounded((size_t)height * (size_t)width * 3);
  const step *last = &f->steps[net->features];
  size_t top = picture;
  f->scratch = 0;
  for (int i = 0; i < net->n_layers; i++) {
    plan_step(f, i, height, width);
    top = max_size(top, place_step(f, i, picture));
    f->scratch = max_size(f->scratch, f->steps[i].scratch);
  }
  f->scratch = rounded(
      max_size(f->scratch, tail_scratch_floats(net, last->out_height, last->out_width)));
  *floats = top + f->scratch * (size_t)f->threads;
  return CAM_OK;
}

static void find_last_uses(forward *f) {
  const network *net = f->net;
  for (int i = 0; i < net->n_layers; i++) {
    const layer *l = &net->layers[i];
    f->places[i].last_use = i;
    for (int k = 0; k < l->n_inputs; k++)
      if (l->inputs[k] >= 0)
        f->places[l->inputs[k]].last_use = i;
    if (l->residual >= 0)
      f->places[l->residual].last_use = i;
  }
  f->places[net->features].last_use = net->n_layers;
}

static cam_code allocate(forward *f, cam_error *error) {
  const network *net = f->net;
  f->shape = calloc((size_t)net->graph->n_nodes, sizeof *f->shape);
  f->steps = calloc((size_t)net->n_layers, sizeof *f->steps);
  f->places = calloc((size_t)net->n_layers, sizeof *f->places);
  f->tail = (tail){.net = net,
                   .team = f->team,
                   .mean = calloc(tail_mean_floats(net), sizeof(float)),
                   .sums = calloc(tail_sums_floats(net) + 1, sizeof(float))};
  if (net->graph->method == CAM_METHOD_HIRESCAM) {
    cam_code code = chain_create(net->graph, tail_mean_floats(net), f->team, &f->tail.chain, error);
    if (code)
      return code;
  }
  if (!f->shape || !f->steps || !f->places || !f->tail.mean || !f->tail.sums)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a worker of %s", net->graph->name);
  return CAM_OK;
}

/* An arena for the input's own size and for the longest either way. */
static cam_code allocate_arena(forward *f, cam_error *error) {
  const cam_graph *graph = f->net->graph;
  int side = min_int(graph->height, graph->width);
  const int ends[3][2] = {
      {graph->height, graph->width}, {side, graph->max_side}, {graph->max_side, side}};
  int sizes = 3;
  if (graph->one_size)
    sizes = 1;
  for (int i = 0; i < sizes; i++) {
    size_t floats;
    cam_code code = lay_out(f, ends[i][0], ends[i][1], &floats, error);
    if (code)
      return code;
    f->arena_floats = max_size(f->arena_floats, floats);
  }
  f->arena = arena_map(f->arena_floats);
  if (!f->arena)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for an arena of %zu floats",
                    f->arena_floats);
  return CAM_OK;
}

cam_code forward_create(const network *net, cam_team *team, forward **out, cam_error *error) {
  *out = NULL;
  forward *f = calloc(1, sizeof *f);
  if (!f)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a worker of %s", net->graph->name);
  f->net = net;
  f->team = team;
  f->threads = team_threads(team);
  cam_code code = allocate(f, error);
  if (!code) {
    find_last_uses(f);
    code = allocate_arena(f, error);
  }
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
  free(f->places);
  free(f->tail.mean);
  free(f->tail.sums);
  chain_free(f->tail.chain);
  free(f);
}

cam_code forward_measure(forward *f, int height, int width, size_t *bytes, cam_error *error) {
  size_t floats = 0;
  f->height = f->width = 0;
  cam_code code = lay_out(f, height, width, &floats, error);
  *bytes = floats * sizeof *f->arena;
  return code;
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

/* The plane of a layer, or the picture. */
static float *plane_of(const forward *f, int index) {
  if (index == GRAPH_INPUT)
    return f->arena;
  return f->arena + f->places[index].begin;
}

/* Offsets in the arena become pointers. */
static void plan_pointers(forward *f) {
  for (int i = 0; i < f->net->n_layers; i++) {
    const layer *l = &f->net->layers[i];
    step *s = &f->steps[i];
    s->out = plane_of(f, i);
    s->common = f->arena + f->places[i].common;
    for (int k = 0; k < l->n_inputs; k++)
      s->in[k] = plane_of(f, l->inputs[k]);
    if (l->residual >= 0)
      s->residual = plane_of(f, l->residual);
  }
}

cam_code forward_plan(forward *f, int height, int width, void **input, cam_error *error) {
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
    plan_pointers(f);
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

static void run_step(forward *f, int index) {
  for (int phase = 0; phase < 2; phase++) {
    run_call call = {f, &f->steps[index], phase};
    team_for(f->team, call.s->pieces[phase], run_piece, &call);
  }
}

/* What a CPU holds for products in integers makes each change of threads longer. Not every thread
 * need get a piece. */
static void rest_thread(void *closure, int piece, int thread) {
  const forward *f = closure;
  (void)piece;
  (void)thread;
  f->net->k8->rest();
}

void forward_run(forward *f, float *logits, double *layer_ms) {
  const network *net = f->net;
  for (int i = 0; i < net->n_layers; i++) {
    double begin = 0;
    if (layer_ms)
      begin = clock_seconds();
    run_step(f, i);
    if (layer_ms)
      layer_ms[i] = 1e3 * (clock_seconds() - begin);
  }
  tail_logits(&f->tail, logits);
  if (net->k8->rest && net->graph->is_int8)
    team_for(f->team, f->threads, rest_thread, f);
}

void forward_watch(forward *f, float *logits, forward_watcher *watch, void *closure) {
  for (int i = 0; i < f->net->n_layers; i++) {
    const step *s = &f->steps[i];
    run_step(f, i);
    if (s->l->last)
      watch(closure, s->l->last, s->out, s->out_height * s->out_width, s->l->channels,
            s->out_stride);
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

/* Of a block: an expansion works on the plane before the depthwise part, the others on the step's
 * output. */
static void add_parts(const step *s, layer_cost *cost) {
  const layer *l = s->l;
  for (int k = 0; k < l->n_parts; k++) {
    const layer *p = &l->parts[k];
    bool expands = k == 0 && p->node->groups == 1;
    if (expands)
      cost->multiply_adds += node_multiply_adds(p->node, s->in_height, s->in_width);
    else
      cost->multiply_adds += node_multiply_adds(p->node, s->out_height, s->out_width);
    cost->weight_bytes += p->weight_count * sizeof(float);
  }
}

/* Of a layer's plane, or of the picture. */
static size_t value_bytes(const forward *f, int index) {
  bool levels = f->net->graph->sees_bytes;
  if (index != GRAPH_INPUT)
    levels = f->net->layers[index].levels;
  if (levels)
    return 1;
  return sizeof(float);
}

void forward_layer(const forward *f, int index, layer_cost *cost) {
  const step *s = &f->steps[index];
  const layer *l = s->l;
  *cost = (layer_cost){.name = "picture",
                       .kind = l->type->name,
                       .height = s->out_height,
                       .width = s->out_width,
                       .channels = l->channels,
                       .int8 = l->levels};
  if (l->last)
    cost->name = l->node->name;
  const bool converts = l->type == &layer_quantize || l->type == &layer_dequantize;
  if (l->n_parts) {
    add_parts(s, cost);
  } else if (l->last && !converts) {
    int out[2]; /* of the operator at its heart: before any pooling */
    node_padding(l->node, 0, s->in_height, &out[0]);
    node_padding(l->node, 1, s->in_width, &out[1]);
    cost->multiply_adds = node_multiply_adds(l->node, out[0], out[1]);
  }
  cost->products = cost->multiply_adds;
  if (l->type->products)
    cost->products = l->type->products(s);
  cost->weight_bytes += l->weight_count * sizeof(float);
  if (l->int8)
    cost->weight_bytes += l->int8->weight_bytes;
  for (int k = 0; k < l->n_inputs; k++)
    cost->plane_bytes += (size_t)s->in_cells[k] * (size_t)s->in_strides[k] *
                         value_bytes(f, l->inputs[k]);
  size_t out_bytes = (size_t)s->out_height * (size_t)s->out_width * (size_t)s->out_stride *
                     value_bytes(f, index);
  cost->plane_bytes += out_bytes;
  if (s->residual)
    cost->plane_bytes += out_bytes;
}
