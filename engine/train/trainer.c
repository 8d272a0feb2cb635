/* trainer.c - trainer.h: lanes of samples, and the step that their gradients make.
 *
 * Determinism. A batch is cut into lanes, as many as the network's size says and never as the
 * threads: a lane takes its samples in order, some at a time, and adds up their gradients in an
 * array of its own; then the lanes' arrays are added in order, piece by piece. Which thread takes
 * which lane or piece changes nothing.
 *
 * A step is often smaller than a float's last place. What a weight lost by rounding is kept
 * (`rest`) and goes into the next step, so that many small steps come to what they should. */
#include "trainer.h"
#include "base/clones.h"
#include "cam_minmax.h"
#include "each_sample.h"
#include "network/blas.h"
#include "network/cut.h"
#include "network/parameters.h"
#include "tape.h"
#include "trainer_state.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LANES_MOST = 4, SAMPLES_MOST = 4 /* of a lane at a time */, PIECE = 1 << 16 /* values */ };
static const size_t GRADIENT_BYTES = (size_t)320 << 20; /* of all lanes; one lane may take more */
static const size_t LANE_BYTES = (size_t)64 << 20;      /* of a lane's planes; one
                                                           sample may take more */

/* A range of one parameter's values: what a thread takes at a time when weights move. */
typedef struct piece {
  size_t begin, n;
  bool decays;
  double squares; /* sum of w^2 where it decays */
  bool finite;
} piece;

/* A tape for one size, made when it is first needed. */
typedef struct sized_tape {
  tape *tape;
  int height, width;
} sized_tape;

struct trainer {
  const cam_graph *graph;
  int cut, lanes, features; /* features: that dropout is of; 0: there is none */
  train_options options;
  cam_team *team;
  bool reserved; /* of blas */
  parameters set;
  float *values, *rest, *momentum; /* [set.count]; momentum NULL: plain SGD */
  float *gradients;                /* [lanes,set.count] */
  float *factors;                  /* [lanes,SAMPLES_MOST,features] */
  piece *pieces;                   /* [n_pieces] */
  int n_pieces, samples;           /* samples: of a lane at a time, in `training` */
  sized_tape training, plain;
  float *arena; /* [arena_floats] one tape's arena a lane or thread */
  size_t arena_floats;
  uint64_t steps;
};

/* ---- memory ---- */

/* In large pages where the system has them: planes and gradients are gone through from end to end,
 * again and again. */
static float *new_floats(size_t n) {
  enum { LARGE_PAGE = 2 << 20, LINE = 64 };
  size_t unit = LINE;
  if (n * sizeof(float) > LARGE_PAGE)
    unit = LARGE_PAGE;
  const size_t bytes = (n * sizeof(float) + unit) / unit * unit;
  float *floats = aligned_alloc(unit, bytes);
  if (floats && unit == LARGE_PAGE)
    madvise(floats, bytes, MADV_HUGEPAGE);
  return floats;
}

static cam_code trainer_no_memory(const cam_graph *graph, cam_error *error) {
  return cam_fail(error, CAM_E_NO_MEMORY, "no memory to train %s", graph->name);
}

/* Arenas of so many floats in all; what they held is gone. */
static bool have_arenas(trainer *t, size_t floats) {
  if (t->arena_floats >= floats)
    return true;
  free(t->arena);
  t->arena = new_floats(floats);
  t->arena_floats = 0;
  if (t->arena)
    t->arena_floats = floats;
  return t->arena != NULL;
}

static cam_code plan_sized(sized_tape *s, const tape_part *part, int height, int width, int samples,
                           cam_error *error) {
  if (s->tape && s->height == height && s->width == width)
    return CAM_OK;
  tape_free(s->tape);
  const cam_code code = tape_create(part, height, width, samples, &s->tape, error);
  s->height = height;
  s->width = width;
  if (code) {
    tape_free(s->tape);
    s->tape = NULL;
  }
  return code;
}

static tape_part training_part(const trainer *t) {
  return (tape_part){t->graph, &t->set, t->cut, t->graph->n_nodes - 1, true, t->features > 0};
}

static tape_part plain_part(const trainer *t) {
  return (tape_part){t->graph, &t->set, t->cut, t->graph->n_nodes - 1, false, false};
}

/* How many samples of so many floats each a lane takes at a time: small planes go together, so that
 * products are of more rows; large ones had better stay in the cache. */
static int samples_at_a_time(size_t floats) {
  int n = SAMPLES_MOST;
  while (n > 1 && (size_t)n * floats * sizeof(float) > LANE_BYTES)
    n /= 2;
  return n;
}

static cam_code plan_training(trainer *t, int height, int width, cam_error *error) {
  const tape_part part = training_part(t);
  sized_tape *s = &t->training;
  if (s->tape && s->height == height && s->width == width)
    return CAM_OK;
  cam_code code = plan_sized(s, &part, height, width, 1, error);
  if (code)
    return code;
  t->samples = samples_at_a_time(tape_floats(s->tape));
  tape_free(s->tape);
  s->tape = NULL;
  return plan_sized(s, &part, height, width, t->samples, error);
}

/* ---- a trainer ---- */

static cam_code check_options(const cam_graph *graph, const train_options *o, cam_error *error) {
  if (!(o->momentum >= 0 && o->momentum < 1))
    return cam_fail(error, CAM_E_PARAMETER, "momentum: %g; allowed are 0 to less than 1",
                    o->momentum);
  if (!(o->weight_decay >= 0 && o->weight_decay < 1))
    return cam_fail(error, CAM_E_PARAMETER, "weight decay: %g; allowed are 0 to less than 1",
                    o->weight_decay);
  if (!(o->keep_prob > 0 && o->keep_prob <= 1))
    return cam_fail(error, CAM_E_PARAMETER, "keep_prob: %g; allowed are more than 0 to 1",
                    o->keep_prob);
  if (graph->n_classes < 2)
    return cam_fail(error, CAM_E_MODEL, "%s tells one class alone, of which nothing can be learnt",
                    graph->name);
  return CAM_OK;
}

static int pieces_of(size_t values) { return (int)((values + PIECE - 1) / PIECE); }

static void cut_pieces(trainer *t) {
  for (int i = 0; i < t->set.n; i++) {
    const parameter *p = &t->set.list[i];
    for (size_t at = 0; at < p->tensor->count; at += PIECE)
      t->pieces[t->n_pieces++] = (piece){
          .begin = p->at + at, .n = min_size(PIECE, p->tensor->count - at), .decays = p->decays};
  }
}

/* Of so many values: 1, 2 or 4, which teams of 2 and 4 share evenly. */
static int lanes_of(size_t values) {
  int lanes = LANES_MOST;
  while (lanes > 1 && (size_t)lanes * values * sizeof(float) > GRADIENT_BYTES)
    lanes /= 2;
  return lanes;
}

static bool allocate_trainer(trainer *t) {
  const size_t count = t->set.count;
  int n = 0;
  for (int i = 0; i < t->set.n; i++)
    n += pieces_of(t->set.list[i].tensor->count);
  t->lanes = lanes_of(count);
  t->values = new_floats(count);
  t->rest = new_floats(count);
  t->gradients = new_floats(count * (size_t)t->lanes);
  t->factors = new_floats((size_t)t->lanes * SAMPLES_MOST * (size_t)t->features);
  t->pieces = calloc((size_t)n + 1, sizeof *t->pieces);
  if (t->options.momentum > 0)
    t->momentum = new_floats(count);
  return t->values && t->rest && t->gradients && t->factors && t->pieces &&
         (t->momentum || !(t->options.momentum > 0));
}

static void copy_values(trainer *t) {
  for (int i = 0; i < t->set.n; i++) {
    const parameter *p = &t->set.list[i];
    memcpy(t->values + p->at, p->tensor->data, p->tensor->count * sizeof(float));
  }
  memset(t->rest, 0, t->set.count * sizeof *t->rest);
  if (t->momentum)
    memset(t->momentum, 0, t->set.count * sizeof *t->momentum);
}

cam_code trainer_create(const cam_graph *graph, int cut, const train_options *options,
                        cam_team *team, trainer **out, cam_error *error) {
  *out = NULL;
  cam_code code = check_options(graph, options, error);
  if (!code)
    code = cut_check(graph, cut, error);
  if (code)
    return code;
  trainer *t = calloc(1, sizeof *t);
  if (!t)
    return trainer_no_memory(graph, error);
  t->graph = graph;
  t->cut = cut;
  t->options = *options;
  t->team = team;
  const int fc = cut_last_fc(graph);
  if (options->keep_prob < 1 && fc >= 0)
    t->features = (int)graph->nodes[fc].weight->shape[1];
  code = parameters_find(graph, cut, &t->set, error);
  if (!code && !allocate_trainer(t))
    code = trainer_no_memory(graph, error);
  if (!code)
    code = blas_reserve(team_threads(team), error);
  t->reserved = !code;
  if (code) {
    trainer_free(t);
    return code;
  }
  cut_pieces(t);
  copy_values(t);
  *out = t;
  return CAM_OK;
}

void trainer_free(trainer *t) {
  if (!t)
    return;
  if (t->reserved)
    blas_release(team_threads(t->team));
  tape_free(t->training.tape);
  tape_free(t->plain.tape);
  parameters_free(&t->set);
  free(t->values);
  free(t->rest);
  free(t->momentum);
  free(t->gradients);
  free(t->factors);
  free(t->pieces);
  free(t->arena);
  free(t);
}

const float *trainer_tensor(const trainer *t, const cam_tensor *tensor) {
  for (int i = 0; i < t->set.n; i++)
    if (t->set.list[i].tensor == tensor)
      return t->values + t->set.list[i].at;
  return tensor->data;
}

/* ---- the loss ---- */

/* Bits without pattern: splitmix64 (Steele, Lea and Flood, 2014). */
static uint64_t scrambled(uint64_t x) {
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

void trainer_dropout(const train_options *options, uint64_t steps, int sample, int n,
                     float *factors) {
  const uint64_t key = scrambled(scrambled(scrambled(options->seed) ^ steps) ^ (uint64_t)sample);
  for (int i = 0; i < n; i++) {
    const double chance = (double)(scrambled(key ^ (uint64_t)i) >> 11) * 0x1p-53;
    factors[i] = 0;
    if (chance < options->keep_prob)
      factors[i] = (float)(1 / options->keep_prob);
  }
}

/* One step's way over the lanes. */
typedef struct lane_call {
  trainer *t;
  const train_batch *batch;
  double *losses; /* [n] cross-entropy of each sample, times its weight */
  bool *right;    /* [n] */
} lane_call;

/* Softmax, cross-entropy and the gradient of the batch's mean by the logits. */
static void judge_sample(const lane_call *call, int sample, const float *logits, float *gradient) {
  const int n = call->t->graph->n_classes, label = call->batch->labels[sample];
  double weight = 1, most = logits[0], sum = 0;
  int best = 0;
  if (call->batch->weights)
    weight = call->batch->weights[sample];
  for (int c = 1; c < n; c++)
    if (logits[c] > logits[best])
      best = c;
  most = logits[best];
  for (int c = 0; c < n; c++)
    sum += exp(logits[c] - most);
  for (int c = 0; c < n; c++)
    gradient[c] = (float)((exp(logits[c] - most) / sum - (c == label)) * weight / call->batch->n);
  call->losses[sample] = weight * (log(sum) + most - logits[label]);
  call->right[sample] = best == label;
}

/* n samples from `first` on, through the network and back. */
static void run_samples(const lane_call *call, int lane, int first, int n) {
  trainer *t = call->t;
  const train_batch *batch = call->batch;
  const tape *way = t->training.tape;
  const size_t plane = (size_t)batch->height * (size_t)batch->width *
                       (size_t)cut_channels(t->graph, t->cut);
  float *arena = t->arena + (size_t)lane * tape_floats(way);
  float *factors = t->factors + (size_t)(lane * SAMPLES_MOST) * (size_t)t->features;
  for (int i = 0; i < n; i++) {
    memcpy(tape_input(way, arena) + (size_t)i * plane, batch->planes[first + i],
           plane * sizeof(float));
    trainer_dropout(&t->options, t->steps, first + i, t->features,
                    factors + (size_t)i * (size_t)t->features);
  }
  tape_forward(way, arena, n, t->values, factors);
  for (int i = 0; i < n; i++) {
    const size_t at = (size_t)i * (size_t)t->graph->n_classes;
    judge_sample(call, first + i, tape_output(way, arena) + at,
                 tape_output_gradient(way, arena) + at);
  }
  tape_backward(way, arena, n, t->values, factors, t->gradients + (size_t)lane * t->set.count);
}

static void run_lane(void *closure, int lane, int thread) {
  const lane_call *call = closure;
  trainer *t = call->t;
  (void)thread;
  const int begin = (int)((int64_t)call->batch->n * lane / t->lanes),
            end = (int)((int64_t)call->batch->n * (lane + 1) / t->lanes);
  memset(t->gradients + (size_t)lane * t->set.count, 0, t->set.count * sizeof(float));
  for (int i = begin; i < end; i += t->samples)
    run_samples(call, lane, i, min_int(t->samples, end - i));
}

/* ---- the step ---- */

/* to += from; both times 0, summed: not 0 but NaN where a value is not finite. */
CLONES static float add_lane(const float *from, float *to, size_t n) {
  float odd = 0;
  for (size_t i = 0; i < n; i++) {
    to[i] += from[i];
    odd += to[i] * 0;
  }
  return odd;
}

CLONES static double add_decay_of(const float *w, float decay, float *gradient, size_t n) {
  double squares = 0;
  for (size_t i = 0; i < n; i++) {
    squares += (double)w[i] * w[i];
    gradient[i] += decay * w[i];
  }
  return squares;
}

/* The gradient of a piece: of all lanes, then of the decay; in the first lane's array. */
static void sum_piece(void *closure, int index, int thread) {
  trainer *t = closure;
  piece *p = &t->pieces[index];
  float *gradient = t->gradients + p->begin, odd = 0;
  (void)thread;
  for (size_t i = 0; i < p->n; i++)
    odd += gradient[i] * 0;
  for (int lane = 1; lane < t->lanes; lane++)
    odd += add_lane(gradient + (size_t)lane * t->set.count, gradient, p->n);
  p->finite = odd == 0;
  p->squares = 0;
  if (p->decays)
    p->squares = add_decay_of(t->values + p->begin, (float)t->options.weight_decay, gradient, p->n);
}

typedef struct move_call {
  trainer *t;
  double rate;
} move_call;

CLONES static void move_values(const float *along, double rate, float *values, float *rest,
                               size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double exact = (double)values[i] + (double)rest[i] - rate * (double)along[i];
    values[i] = (float)exact;
    rest[i] = (float)(exact - (double)values[i]);
  }
}

CLONES static void gather_momentum(const float *gradient, float momentum, float *m, size_t n) {
  for (size_t i = 0; i < n; i++)
    m[i] = momentum * m[i] + gradient[i];
}

static void move_piece(void *closure, int index, int thread) {
  const move_call *call = closure;
  trainer *t = call->t;
  const piece *p = &t->pieces[index];
  const float *along = t->gradients + p->begin;
  (void)thread;
  if (t->momentum) {
    gather_momentum(along, (float)t->options.momentum, t->momentum + p->begin, p->n);
    along = t->momentum + p->begin;
  }
  move_values(along, call->rate, t->values + p->begin, t->rest + p->begin, p->n);
}

static cam_code check_batch(const trainer *t, const train_batch *batch, cam_error *error) {
  if (batch->n < 1)
    return cam_fail(error, CAM_E_PARAMETER, "a batch of %d samples", batch->n);
  for (int i = 0; i < batch->n && batch->labels; i++)
    if (batch->labels[i] < 0 || batch->labels[i] >= t->graph->n_classes)
      return cam_fail(error, CAM_E_PARAMETER, "sample %d: label %d; %s tells %d classes", i,
                      batch->labels[i], t->graph->name, t->graph->n_classes);
  return CAM_OK;
}

/* Gradients and loss; the weights stay. */
static cam_code find_gradient(lane_call *call, train_loss *loss, cam_error *error) {
  trainer *t = call->t;
  bool finite = true;
  *loss = (train_loss){0};
  team_for(t->team, t->lanes, run_lane, call);
  team_for(t->team, t->n_pieces, sum_piece, t);
  for (int i = 0; i < call->batch->n; i++) {
    loss->cross_entropy += call->losses[i] / call->batch->n;
    loss->right += call->right[i];
  }
  for (int i = 0; i < t->n_pieces; i++) {
    loss->weight_decay += t->options.weight_decay * t->pieces[i].squares / 2;
    finite &= t->pieces[i].finite;
  }
  if (!finite || !isfinite(loss->cross_entropy + loss->weight_decay))
    return cam_fail(error, CAM_E_PARAMETER,
                    "step %" PRIu64 ": the loss is not finite any more: a smaller rate may help",
                    t->steps + 1);
  return CAM_OK;
}

cam_code trainer_step(trainer *t, const train_batch *batch, double rate, train_loss *loss,
                      cam_error *error) {
  cam_code code = check_batch(t, batch, error);
  if (!code)
    code = plan_training(t, batch->height, batch->width, error);
  if (code)
    return code;
  lane_call call = {t, batch, calloc((size_t)batch->n, sizeof(double)),
                    calloc((size_t)batch->n, sizeof(bool))};
  move_call move = {t, rate};
  if (!call.losses || !call.right ||
      !have_arenas(t, (size_t)t->lanes * tape_floats(t->training.tape)))
    code = trainer_no_memory(t->graph, error);
  if (!code)
    code = find_gradient(&call, loss, error);
  if (!code) {
    team_for(t->team, t->n_pieces, move_piece, &move);
    t->steps++;
  }
  free(call.losses);
  free(call.right);
  return code;
}

/* ---- forward alone ---- */

cam_code trainer_logits(trainer *t, const train_batch *batch, float *logits, cam_error *error) {
  const tape_part part = plain_part(t);
  const size_t threads = (size_t)team_threads(t->team);
  cam_code code = CAM_OK;
  if (batch->n < 1)
    code = cam_fail(error, CAM_E_PARAMETER, "a batch of %d samples", batch->n);
  if (!code)
    code = plan_sized(&t->plain, &part, batch->height, batch->width, 1, error);
  if (!code && !have_arenas(t, threads * tape_floats(t->plain.tape)))
    code = trainer_no_memory(t->graph, error);
  if (code)
    return code;
  const each_sample each = {.way = t->plain.tape,
                            .n = batch->n,
                            .from = batch->planes,
                            .flat = logits,
                            .in = (size_t)batch->height * (size_t)batch->width *
                                  (size_t)cut_channels(t->graph, t->cut),
                            .out = (size_t)t->graph->n_classes,
                            .values = t->values,
                            .arena = t->arena};
  each_sample_run(&each, t->team);
  return CAM_OK;
}

/* ---- state ---- */

static trainer_state inner_state(const trainer *t) {
  trainer *of = (trainer *)(uintptr_t)t;
  return (trainer_state){
      &t->set, 2 + (t->momentum != NULL), {t->values, t->rest, t->momentum}, &of->steps};
}

size_t trainer_state_bytes(const trainer *t) {
  const trainer_state state = inner_state(t);
  return state_bytes(&state);
}

void trainer_save(const trainer *t, void *out) {
  const trainer_state state = inner_state(t);
  state_save(&state, out);
}

cam_code trainer_load(trainer *t, const void *bytes, size_t n, cam_error *error) {
  const trainer_state state = inner_state(t);
  return state_load(&state, t->graph->name, bytes, n, error);
}
