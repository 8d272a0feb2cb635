/* tape.c - tape.h: which steps, where their planes lie, and the way through them.
 *
 * Idea. A plane is there from the step that writes it to the last that reads it, forward or
 * backward; its gradient from the backward of its last reader to that of its writer. Time counts
 * the steps forward, then backward; whatever is not there at one time may share a place.
 *
 * Sharing. An operator that can write over its input does so where nobody else needs what was
 * there: both planes are then one (`root`). Likewise gradients. A convolution does the activation
 * behind it on what it has just written: no step, and no plane between the two. */
#include "tape.h"
#include "cam_minmax.h"
#include "network/cut.h"
#include "train_op.h"
#include <stdlib.h>
#include <string.h>

enum { ALIGNED = 16, NOBODY = -1 };

/* Something in the arena: there from `begin` to `end`, both included. */
typedef struct resident {
  size_t floats; /* of one sample; 0: nothing */
  size_t at;
  int begin, end;
} resident;

typedef struct tape_plane {
  train_plane size;
  int uses;                      /* by steps; the output's once more */
  bool done;                     /* by the convolution before it */
  bool wanted;                   /* there is a gradient */
  bool written;                  /* by a later step than the one that is looked at */
  bool kept;                     /* of roots: backward reads what is there */
  int value_root, gradient_root; /* the planes whose places it has */
  resident value, gradient;      /* of roots */
} tape_plane;

struct tape {
  tape_part part;
  int samples, n_planes, n_steps;
  int (*shape)[2];    /* [nodes] */
  tape_plane *planes; /* [n_planes]: of the cut cut + 1, of node i i + 1, of dropout the last */
  train_step *steps;  /* [n_steps] */
  size_t floats, scratch, scratch_at;
};

/* ---- planes and steps ---- */

static void size_planes(tape *t, int height, int width) {
  const cam_graph *graph = t->part.graph;
  const int cut = t->part.cut, fc = cut_last_fc(graph);
  t->planes[cut + 1].size = (train_plane){height, width, cut_channels(graph, cut)};
  for (int i = cut + 1; i <= t->part.last; i++)
    t->planes[i + 1].size = (train_plane){t->shape[i][0], t->shape[i][1], graph->nodes[i].channels};
  if (t->part.dropout && fc > cut)
    t->planes[t->n_planes - 1].size = t->planes[graph->nodes[fc].inputs[0] + 1].size;
}

static void count_tape_readers(tape *t) {
  t->planes[t->part.last + 1].uses = 1;
  for (int i = t->part.cut + 1; i <= t->part.last; i++)
    for (int k = 0; k < t->part.graph->nodes[i].n_inputs; k++)
      t->planes[t->part.graph->nodes[i].inputs[k] + 1].uses++;
}

/* The activation that alone reads what node i writes, if it can be done at once; NOBODY. */
static int finish_of(const tape *t, int i) {
  const cam_graph *graph = t->part.graph;
  if (!(train_op_of(&graph->nodes[i])->is & TAKES_FINISH) || t->planes[i + 1].uses != 1)
    return NOBODY;
  for (int j = i + 1; j <= t->part.last; j++)
    if (graph->nodes[j].inputs[0] == i && train_op_of(&graph->nodes[j])->is & CAN_FINISH)
      return j;
  return NOBODY;
}

static train_step *new_step(tape *t, const cam_node *node, int output) {
  train_step *s = &t->steps[t->n_steps++];
  *s = (train_step){.op = train_op_of(node), .node = node, .output = output};
  s->out = t->planes[output].size;
  for (int slot = 0; slot < SLOTS; slot++)
    s->parameter[slot] = -1;
  return s;
}

static void step_reads(tape *t, train_step *s, int plane) {
  s->in[s->n_inputs] = t->planes[plane].size;
  s->inputs[s->n_inputs++] = plane;
}

static void step_of_node(tape *t, int i, int finish) {
  const cam_graph *graph = t->part.graph;
  const cam_node *node = &graph->nodes[i];
  const bool drops = t->part.dropout && i == cut_last_fc(graph);
  if (drops) {
    step_reads(t, new_step(t, NULL, t->n_planes - 1), node->inputs[0] + 1);
    t->planes[t->n_planes - 1].uses = 1;
  }
  train_step *s = new_step(t, node, i + 1);
  if (finish != NOBODY) {
    s->finish = &graph->nodes[finish];
    s->output = finish + 1;
  }
  for (int k = 0; k < node->n_inputs; k++)
    step_reads(t, s, node->inputs[k] + 1);
  if (drops)
    s->inputs[0] = t->n_planes - 1;
  int unused;
  s->top = node_padding(node, 0, s->in[0].height, &unused);
  s->left = node_padding(node, 1, s->in[0].width, &unused);
  for (int slot = 0; slot < SLOTS && t->part.set; slot++)
    s->parameter[slot] = t->part.set->of[i][slot];
}

static void steps_of_nodes(tape *t) {
  for (int i = t->part.cut + 1; i <= t->part.last; i++) {
    if (t->planes[i + 1].done)
      continue;
    const int finish = finish_of(t, i);
    step_of_node(t, i, finish);
    if (finish != NOBODY)
      t->planes[finish + 1].done = true;
  }
}

/* Which gradients there are, and who writes each first. */
static void find_gradients(tape *t) {
  for (int i = 0; i < t->n_steps; i++) {
    train_step *s = &t->steps[i];
    bool wants = false;
    for (int slot = 0; slot < SLOTS; slot++)
      wants |= s->parameter[slot] >= 0;
    for (int k = 0; k < s->n_inputs; k++)
      wants |= s->wanted[k] = t->planes[s->inputs[k]].wanted;
    t->planes[s->output].wanted = wants;
  }
  for (int i = t->n_steps - 1; i >= 0; i--)
    for (int k = 0; k < t->steps[i].n_inputs; k++) {
      tape_plane *plane = &t->planes[t->steps[i].inputs[k]];
      t->steps[i].first[k] = !plane->written;
      plane->written = true;
    }
}

/* ---- sharing ---- */

static bool reads_output(const train_step *s) { return s->op->is & NEEDS_OUTPUT || s->finish; }

static tape_plane *value_root_of(tape *t, int plane) {
  return &t->planes[t->planes[plane].value_root];
}

/* How many inputs a step might write over, from the first on. */
static int inputs_over(const train_step *s, unsigned over) {
  if (!(s->op->is & over))
    return 0;
  if (s->op->is & OVER_EITHER)
    return s->n_inputs;
  return 1;
}

/* Planes that are written over what a step reads: over a plane that it alone reads, without needing
 * it backward, if what wrote that does not either. */
static void share_values(tape *t) {
  for (int i = 0; i < t->n_steps; i++) {
    const train_step *s = &t->steps[i];
    for (int k = 0; k < inputs_over(s, OVER_INPUT); k++) {
      if (t->planes[s->inputs[k]].uses != 1 || value_root_of(t, s->inputs[k])->kept)
        continue;
      t->planes[s->output].value_root = t->planes[s->inputs[k]].value_root;
      break;
    }
    if (t->part.backward)
      value_root_of(t, s->output)->kept |= reads_output(s);
  }
}

static void share_gradients(tape *t) {
  for (int i = t->n_steps - 1; i >= 0; i--) {
    const train_step *s = &t->steps[i];
    for (int k = 0; k < inputs_over(s, OVER_GRADIENT); k++)
      if (t->planes[s->inputs[k]].uses == 1 && s->wanted[k]) {
        t->planes[s->inputs[k]].gradient_root = t->planes[s->output].gradient_root;
        break;
      }
  }
}

/* ---- places ---- */

static void live(resident *r, const train_plane *plane, int time) {
  if (!r->floats) {
    r->floats = train_values(plane);
    r->begin = r->end = time;
  }
  r->begin = min_int(r->begin, time);
  r->end = max_int(r->end, time);
}

static resident *place_of_value(const tape *t, int plane) {
  return &t->planes[t->planes[plane].value_root].value;
}
static resident *place_of_gradient(const tape *t, int plane) {
  return &t->planes[t->planes[plane].gradient_root].gradient;
}

static void live_backward(tape *t, const train_step *s, int time) {
  if (!t->planes[s->output].wanted)
    return;
  live(place_of_gradient(t, s->output), &s->out, time);
  if (reads_output(s))
    live(place_of_value(t, s->output), &s->out, time);
  for (int k = 0; k < s->n_inputs; k++) {
    if (s->wanted[k])
      live(place_of_gradient(t, s->inputs[k]), &s->in[k], time);
    if (s->op->is & NEEDS_INPUTS)
      live(place_of_value(t, s->inputs[k]), &s->in[k], time);
  }
}

static void find_lives(tape *t) {
  const int in = t->part.cut + 1, out = t->part.last + 1;
  live(place_of_value(t, in), &t->planes[in].size, 0);
  for (int i = 0; i < t->n_steps; i++) {
    const train_step *s = &t->steps[i];
    live(place_of_value(t, s->output), &s->out, i);
    for (int k = 0; k < s->n_inputs; k++)
      live(place_of_value(t, s->inputs[k]), &s->in[k], i);
    if (t->part.backward)
      live_backward(t, s, 2 * t->n_steps - 1 - i);
  }
  live(place_of_value(t, out), &t->planes[out].size, t->n_steps);
}

static size_t taken(const tape *t, const resident *r) {
  return (r->floats * (size_t)t->samples + ALIGNED - 1) / ALIGNED * ALIGNED;
}

/* The lowest place for r beside the n that are placed, by place; returns where in their order it
 * goes. */
static int find_gap(const tape *t, const resident *const *placed, int n, resident *r) {
  size_t from = 0;
  for (int i = 0; i < n; i++) {
    const resident *other = placed[i];
    if (other->end < r->begin || other->begin > r->end)
      continue;
    if (from + taken(t, r) <= other->at)
      break;
    from = max_size(from, other->at + taken(t, other));
  }
  r->at = from;
  int index = 0;
  while (index < n && placed[index]->at < from)
    index++;
  return index;
}

/* Returns how many are placed then. */
static int place(tape *t, const resident **placed, int n, resident *r) {
  if (!r->floats)
    return n;
  const int index = find_gap(t, placed, n, r);
  memmove(placed + index + 1, placed + index, (size_t)(n - index) * sizeof *placed);
  placed[index] = r;
  t->scratch_at = max_size(t->scratch_at, r->at + taken(t, r));
  return n + 1;
}

static void place_all(tape *t, const resident **placed) {
  int n = 0;
  for (int i = 0; i < t->n_planes; i++)
    n = place(t, placed, n, &t->planes[i].value);
  for (int i = 0; i < t->n_planes; i++)
    n = place(t, placed, n, &t->planes[i].gradient);
  for (int i = 0; i < t->n_steps; i++)
    if (t->steps[i].op->scratch)
      t->scratch = max_size(t->scratch, t->steps[i].op->scratch(&t->steps[i], t->samples));
  t->floats = t->scratch_at + t->scratch;
}

/* ---- a tape ---- */

static cam_code tape_no_memory(const tape *t, cam_error *error) {
  return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the steps of %s", t->part.graph->name);
}

static bool allocate_planes(tape *t) {
  const size_t n = (size_t)t->n_planes;
  t->shape = calloc(n, sizeof *t->shape);
  t->planes = calloc(n, sizeof *t->planes);
  t->steps = calloc(n, sizeof *t->steps);
  for (int i = 0; t->planes && i < t->n_planes; i++)
    t->planes[i].value_root = t->planes[i].gradient_root = i;
  return t->shape && t->planes && t->steps;
}

static cam_code plan_tape(tape *t, int height, int width, cam_error *error) {
  const tape_part *part = &t->part;
  const resident **placed = calloc(2 * (size_t)t->n_planes, sizeof *placed);
  cam_code code = CAM_OK;
  if (!placed)
    code = tape_no_memory(t, error);
  if (!code)
    code = cut_shapes(part->graph, part->cut, height, width, t->shape, error);
  if (!code) {
    size_planes(t, height, width);
    count_tape_readers(t);
    steps_of_nodes(t);
    if (part->backward)
      find_gradients(t);
    share_values(t);
    share_gradients(t);
    find_lives(t);
    place_all(t, placed);
  }
  free(placed);
  return code;
}

cam_code tape_create(const tape_part *part, int height, int width, int samples, tape **out,
                     cam_error *error) {
  tape *t = *out = calloc(1, sizeof *t);
  if (!t)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the steps of %s", part->graph->name);
  t->part = *part;
  t->samples = samples;
  t->n_planes = part->graph->n_nodes + 2;
  if (!allocate_planes(t))
    return tape_no_memory(t, error);
  return plan_tape(t, height, width, error);
}

void tape_free(tape *t) {
  if (!t)
    return;
  free(t->shape);
  free(t->planes);
  free(t->steps);
  free(t);
}

size_t tape_floats(const tape *t) { return t->floats; }
float *tape_input(const tape *t, float *arena) {
  return arena + place_of_value(t, t->part.cut + 1)->at;
}
float *tape_output(const tape *t, float *arena) {
  return arena + place_of_value(t, t->part.last + 1)->at;
}
float *tape_output_gradient(const tape *t, float *arena) {
  return arena + place_of_gradient(t, t->part.last + 1)->at;
}

/* ---- running ---- */

static train_task task_of(const tape *t, const train_step *s, float *arena, int n,
                          const float *values, const float *factors) {
  train_task task = {.step = s, .n = n, .factors = factors, .scratch = arena + t->scratch_at};
  for (int k = 0; k < s->n_inputs; k++)
    task.in[k] = arena + place_of_value(t, s->inputs[k])->at;
  task.out = arena + place_of_value(t, s->output)->at;
  for (int slot = 0; slot < SLOTS && s->node; slot++) {
    const cam_tensor *tensor = node_tensor(s->node, (node_slot)slot);
    if (!tensor)
      continue;
    task.tensor[slot] = tensor->data;
    if (values && s->parameter[slot] >= 0)
      task.tensor[slot] = values + t->part.set->list[s->parameter[slot]].at;
  }
  return task;
}

void tape_forward(const tape *t, float *arena, int n, const float *values, const float *factors) {
  for (int i = 0; i < t->n_steps; i++) {
    const train_task task = task_of(t, &t->steps[i], arena, n, values, factors);
    task.step->op->forward(&task);
  }
}

void tape_backward(const tape *t, float *arena, int n, const float *values, const float *factors,
                   float *gradient) {
  for (int i = t->n_steps - 1; i >= 0; i--) {
    const train_step *s = &t->steps[i];
    if (!t->planes[s->output].wanted)
      continue;
    train_task task = task_of(t, s, arena, n, values, factors);
    task.out_gradient = arena + place_of_gradient(t, s->output)->at;
    for (int k = 0; k < s->n_inputs; k++)
      if (s->wanted[k])
        task.in_gradient[k] = arena + place_of_gradient(t, s->inputs[k])->at;
    for (int slot = 0; slot < SLOTS; slot++)
      if (s->parameter[slot] >= 0)
        task.tensor_gradient[slot] = gradient + t->part.set->list[s->parameter[slot]].at;
    s->op->backward(&task);
  }
}
