/* draft_simplify.c - see draft.h. Rules that each look at one node and what is right before it, run
 * over all nodes until none applies: so what exporters spell out in many ways and orders falls
 * together step by step, and no rule knows an exporter. A rule changes a node in place, or says
 * that another node computes its output, too; which input was used by others is counted anew each
 * round.
 */
#include "draft.h"
#include <math.h>

enum { MOST_ROUNDS = 64 };

typedef struct simplifier {
  draft *d;
  int *becomes; /* [n] the node that computes its output */
  int picture_uses;
  bool changed, no_memory;
} simplifier;

static bool near(double a, double b) { return fabs(a - b) <= 1e-5 * fmax(1, fabs(b)); }

static draft_node *at(const simplifier *s, int i) { return i < 0 ? NULL : &s->d->nodes[i]; }
static bool is(const simplifier *s, int i, draft_op op) {
  return i >= 0 && s->d->nodes[i].op == op;
}
static int first(const simplifier *s, int i) { return s->d->nodes[i].inputs[0]; }

/* An affine with one factor and one shift for all channels. */
static bool uniform(const simplifier *s, int i, double *factor, double *shift) {
  if (!is(s, i, DRAFT_AFFINE))
    return false;
  const draft_node *node = at(s, i);
  *factor = node->factor[0];
  *shift = node->shift[0];
  for (int c = 1; c < node->channels; c++)
    if (node->factor[c] != *factor || node->shift[c] != *shift)
      return false;
  return true;
}

/* `factor` times the node that *i then is: through an affine without shift. */
static double through_factor(const simplifier *s, int *i) {
  double factor, shift;
  if (!uniform(s, *i, &factor, &shift) || shift != 0)
    return 1;
  *i = first(s, *i);
  return factor;
}

static void is_computed_by(simplifier *s, int i, int by) {
  s->becomes[i] = by;
  s->changed = true;
}

/* ---- affine ---- */

static bool ensure_vectors(simplifier *s, draft_node *node) {
  if (!node->factor)
    node->factor = draft_vector(s->d, node->channels, 1);
  if (!node->shift)
    node->shift = draft_vector(s->d, node->channels, 0);
  s->no_memory |= !node->factor || !node->shift;
  return !s->no_memory;
}

static void fold_picture(simplifier *s, int i) {
  const draft_node *node = at(s, i);
  for (int c = 0; c < 3; c++) {
    s->d->picture_factor[c] *= node->factor[c];
    s->d->picture_shift[c] = s->d->picture_shift[c] * node->factor[c] + node->shift[c];
  }
  is_computed_by(s, i, DRAFT_PICTURE);
}

/* A product's or affine's sums, times a factor, plus a shift. */
static void scale_sums(simplifier *s, draft_node *to, const double *factor, const double *shift) {
  if (!ensure_vectors(s, to))
    return;
  for (int c = 0; c < to->channels; c++) {
    to->factor[c] *= factor[c];
    to->shift[c] = to->shift[c] * factor[c] + shift[c];
  }
}

static void fold_affine(simplifier *s, int i, int into) {
  scale_sums(s, at(s, into), at(s, i)->factor, at(s, i)->shift);
  is_computed_by(s, i, into);
}

/* a * clip(x) + b with a > 0 is clip'(a * x + b): the affine gets nearer to a product. */
static void swap_clip(simplifier *s, int i, int clip, double factor, double shift) {
  draft_node *behind = at(s, i), *before = at(s, clip);
  before->op = DRAFT_AFFINE;
  before->factor = behind->factor;
  before->shift = behind->shift;
  behind->op = DRAFT_CLIP;
  behind->low = before->low * factor + shift;
  behind->high = before->high * factor + shift;
  s->changed = true;
}

static bool takes_affine(const simplifier *s, int i) {
  const draft_node *node = at(s, i);
  return node && node->uses == 1 &&
         (node->op == DRAFT_CONV || node->op == DRAFT_AFFINE || node->op == DRAFT_LAYER_NORM);
}

/* The affine of joined planes goes into each of them, where each can take its part. */
static void share_affine(simplifier *s, int i, int concat) {
  const draft_node *node = at(s, i), *joined_planes = at(s, concat);
  for (int k = 0; k < joined_planes->n_inputs; k++)
    if (!takes_affine(s, joined_planes->inputs[k]))
      return;
  for (int k = 0, c = 0; k < joined_planes->n_inputs; k++) {
    draft_node *part = at(s, joined_planes->inputs[k]);
    scale_sums(s, part, node->factor + c, node->shift + c);
    c += part->channels;
  }
  is_computed_by(s, i, concat);
}

static bool is_identity(const simplifier *s, int i) {
  double factor, shift;
  return uniform(s, i, &factor, &shift) && fabs(factor - 1) < 1e-6 && fabs(shift) < 1e-6;
}

static void rule_affine(simplifier *s, int i) {
  const int x = first(s, i);
  double factor, shift;
  if (is_identity(s, i)) {
    is_computed_by(s, i, x);
    return;
  }
  if (x == DRAFT_PICTURE) {
    if (s->picture_uses == 1)
      fold_picture(s, i);
    return;
  }
  const draft_node *before = at(s, x);
  if (before->uses != 1)
    return;
  if (takes_affine(s, x))
    fold_affine(s, i, x);
  else if (before->op == DRAFT_CONCAT)
    share_affine(s, i, x);
  else if (before->op == DRAFT_CLIP && uniform(s, i, &factor, &shift) && factor > 0) {
    if (takes_affine(s, before->inputs[0]))
      swap_clip(s, i, x, factor, shift);
  }
}

/* ---- limits ---- */

static double limited(double value, double low, double high) {
  return fmin(fmax(value, low), high);
}

static void rule_clip(simplifier *s, int i) {
  const int x = first(s, i);
  draft_node *node = at(s, i);
  if (node->low == -HUGE_VAL && node->high == HUGE_VAL) {
    is_computed_by(s, i, x);
    return;
  }
  if (!is(s, x, DRAFT_CLIP) || at(s, x)->uses != 1)
    return;
  const draft_node *before = at(s, x);
  const double low = node->low, high = node->high;
  node->low = limited(before->low, low, high);
  node->high = limited(before->high, low, high);
  node->inputs[0] = before->inputs[0];
  s->changed = true;
}

/* ---- x times a function of x ---- */

/* True if node g is scale * min(max(a * x + b, 0), 1) of node *x. */
static bool is_gate(const simplifier *s, int g, int *x, double *a, double *b, double *scale) {
  *scale = through_factor(s, &g);
  if (is(s, g, DRAFT_HARD_SIGMOID)) {
    *x = first(s, g);
    *a = at(s, g)->low;
    *b = at(s, g)->high;
    return true;
  }
  if (!is(s, g, DRAFT_CLIP) || at(s, g)->low != 0 || isinf(at(s, g)->high))
    return false;
  const double high = at(s, g)->high;
  if (!(high > 0) || !uniform(s, first(s, g), a, b))
    return false;
  *x = first(s, first(s, g));
  *a /= high;
  *b /= high;
  *scale *= high;
  return true;
}

/* True if node e is scale * (1 + erf(x / sqrt(2))) of node *x. */
static bool is_error_gate(const simplifier *s, int e, int *x, double *scale) {
  double shift, inner, offset;
  *scale = through_factor(s, &e);
  if (!uniform(s, e, &inner, &shift) || !near(inner, shift) || !is(s, first(s, e), DRAFT_ERF))
    return false;
  *scale *= inner;
  e = first(s, first(s, e));
  if (!uniform(s, e, &inner, &offset) || offset != 0 || !near(inner, sqrt(.5)))
    return false;
  *x = first(s, e);
  return true;
}

/* What a mul of x and a function of x is, times *scale; DRAFT_MUL if nothing known. */
static draft_op known_product(const simplifier *s, int mul, int *x, double *scale) {
  double a, b, gate;
  for (int k = 0; k < 2; k++) {
    int other = at(s, mul)->inputs[k], source;
    const int g = at(s, mul)->inputs[!k];
    if (is(s, g, DRAFT_SIGMOID) && first(s, g) == other) {
      *x = other;
      *scale = 1;
      return DRAFT_SILU;
    }
    if (is_gate(s, g, &source, &a, &b, &gate) && near(a, 1. / 6) && near(b, .5)) {
      *scale = gate;
      if (source != other)
        *scale *= through_factor(s, &other);
      *x = other;
      if (source == other)
        return DRAFT_HARD_SWISH;
    }
    other = at(s, mul)->inputs[k];
    if (is_error_gate(s, g, &source, &gate)) {
      *scale = 2 * gate;
      if (source != other)
        *scale *= through_factor(s, &other);
      *x = other;
      if (source == other)
        return DRAFT_GELU;
    }
  }
  return DRAFT_MUL;
}

static void become(simplifier *s, int i, draft_op op, int x) {
  draft_node *node = at(s, i);
  node->op = op;
  node->n_inputs = 1;
  node->inputs[0] = x;
  node->factor = node->shift = NULL;
  s->changed = true;
}

static void rule_mul(simplifier *s, int i) {
  int x;
  double scale;
  draft_op op = known_product(s, i, &x, &scale);
  if (op != DRAFT_MUL && near(scale, 1))
    become(s, i, op, x);
}

/* The factor that is missing comes behind the mul. */
static void rule_scaled_mul(simplifier *s, int i) {
  double factor, shift, scale;
  int x;
  if (!is(s, first(s, i), DRAFT_MUL) || !uniform(s, i, &factor, &shift) || shift != 0)
    return;
  draft_op op = known_product(s, first(s, i), &x, &scale);
  if (op != DRAFT_MUL && near(scale * factor, 1))
    become(s, i, op, x);
}

/* factor * min(max(a * x + b, 0), 1) with a factor of 1 is a hard sigmoid, unless a product takes
 * a and b. */
static void rule_hard_sigmoid(simplifier *s, int i) {
  int x;
  double a, b, scale;
  if (is(s, i, DRAFT_HARD_SIGMOID) || !is_gate(s, i, &x, &a, &b, &scale) || !near(scale, 1))
    return;
  become(s, i, DRAFT_HARD_SIGMOID, x);
  at(s, i)->low = a;
  at(s, i)->high = b;
}

/* ---- padding ---- */

static bool is_never_negative(const simplifier *s, int i) {
  return is(s, i, DRAFT_CLIP) && at(s, i)->low >= 0;
}

static void rule_pad(simplifier *s, int i) {
  draft_node *node = at(s, i);
  const int x = node->inputs[0];
  if (!is(s, x, DRAFT_PAD) || node->same || node->rounds_up)
    return;
  const draft_node *pad = at(s, x);
  const bool own = node->pads[0] || node->pads[1] || node->pads[2] || node->pads[3];
  if (node->op == DRAFT_MAX_POOL &&
      !(pad->low < -1e30 || (pad->low == 0 && is_never_negative(s, pad->inputs[0]))))
    return;
  if (node->op != DRAFT_MAX_POOL && pad->low != 0)
    return;
  if (node->op == DRAFT_AVG_POOL && own && !node->counts_padding)
    return;
  for (int k = 0; k < 4; k++)
    if (node->op != DRAFT_CONV && node->pads[k] + pad->pads[k] >= node->kernel[k % 2])
      return;
  for (int k = 0; k < 4; k++)
    node->pads[k] += pad->pads[k];
  node->counts_padding |= node->op == DRAFT_AVG_POOL;
  node->inputs[0] = pad->inputs[0];
  s->changed = true;
}

/* A pooling over one cell changes nothing. */
static void rule_pool(simplifier *s, int i) {
  const draft_node *node = at(s, i);
  rule_pad(s, i);
  if (!s->changed && node->kernel[0] == 1 && node->kernel[1] == 1 && node->stride[0] == 1 &&
      node->stride[1] == 1 && !node->pads[0] && !node->pads[1] && !node->pads[2] && !node->pads[3])
    is_computed_by(s, i, node->inputs[0]);
}

/* ---- parts ---- */

/* True if node i is factor * x + shift of a slice of *x that begins at channel `begin`. */
static bool is_part(const simplifier *s, int i, int begin, int *x, const double **factor,
                    const double **shift) {
  *factor = *shift = NULL;
  if (is(s, i, DRAFT_AFFINE)) {
    *factor = at(s, i)->factor;
    *shift = at(s, i)->shift;
    i = first(s, i);
  }
  if (!is(s, i, DRAFT_SLICE) || at(s, i)->begin != begin)
    return false;
  *x = first(s, i);
  return true;
}

/* All channels of a plane one after the other again, each part with an affine of its own: one
 * affine (how torchvision turns pixels for networks that were trained elsewhere). */
static void rule_concat(simplifier *s, int i) {
  draft_node *node = at(s, i);
  const double *factor, *shift;
  int whole = 0, begin = 0;
  for (int k = 0; k < node->n_inputs; k++) {
    int x;
    if (!is_part(s, node->inputs[k], begin, &x, &factor, &shift) || (k && x != whole))
      return;
    whole = x;
    begin += at(s, node->inputs[k])->channels;
  }
  if (begin != draft_channels(s->d, whole))
    return;
  double *factors = draft_vector(s->d, begin, 1), *shifts = draft_vector(s->d, begin, 0);
  s->no_memory |= !factors || !shifts;
  if (s->no_memory)
    return;
  for (int k = 0, c = 0, x; k < node->n_inputs; k++) {
    const int n = at(s, node->inputs[k])->channels;
    is_part(s, node->inputs[k], c, &x, &factor, &shift);
    for (int channel = 0; channel < n && factor; channel++) {
      factors[c + channel] = factor[channel];
      shifts[c + channel] = shift[channel];
    }
    c += n;
  }
  become(s, i, DRAFT_AFFINE, whole);
  node->factor = factors;
  node->shift = shifts;
}

/* ---- the end ---- */

/* The mean of a 1x1 convolution is that convolution of the mean: a head of one linear layer. */
static void swap_last_gap(simplifier *s) {
  const int i = s->d->output;
  if (!is(s, i, DRAFT_GAP))
    return;
  draft_node *gap = at(s, i), *conv = at(s, gap->inputs[0]);
  if (!conv || conv->op != DRAFT_CONV || conv->uses != 1 || conv->groups != 1 ||
      conv->kernel[0] != 1 || conv->kernel[1] != 1 || conv->stride[0] != 1 ||
      conv->stride[1] != 1 || conv->pads[0] || conv->pads[1] || conv->pads[2] || conv->pads[3])
    return;
  const draft_node was = *conv;
  int *const inputs = gap->inputs;
  *conv = *gap;
  conv->inputs = was.inputs;
  conv->channels = draft_channels(s->d, was.inputs[0]);
  *gap = was;
  gap->inputs = inputs;
  gap->height = gap->width = 1;
  s->changed = true;
}

/* What makes probabilities of logits goes; also from before the mean of a plane's only cell. */
static void drop_ending(simplifier *s) {
  draft *d = s->d;
  int *end = &d->output;
  if (is(s, *end, DRAFT_GAP) && at(s, *end)->sized)
    end = &at(s, *end)->inputs[0];
  if (d->ending != ENDS_IN_LOGITS)
    return;
  if (is(s, *end, DRAFT_SOFTMAX) && at(s, *end)->low == 1)
    d->ending = ENDS_IN_LOG_SOFTMAX;
  else if (is(s, *end, DRAFT_SOFTMAX))
    d->ending = ENDS_IN_SOFTMAX;
  else if (is(s, *end, DRAFT_SIGMOID))
    d->ending = ENDS_IN_SIGMOID;
  else
    return;
  *end = first(s, *end);
  s->changed = true;
}

/* ---- all of it ---- */

/* Inputs are what they have become; nodes that the output does not need are dead; uses. */
static void count_uses(simplifier *s) {
  draft *d = s->d;
  s->picture_uses = 0;
  while (d->output >= 0 && s->becomes[d->output] != d->output)
    d->output = s->becomes[d->output];
  for (int i = 0; i < d->n; i++) {
    d->nodes[i].uses = i == d->output;
    for (int k = 0; k < d->nodes[i].n_inputs; k++) {
      int *input = &d->nodes[i].inputs[k];
      while (*input >= 0 && s->becomes[*input] != *input)
        *input = s->becomes[*input];
    }
  }
  for (int i = d->n - 1; i >= 0; i--) {
    draft_node *node = &d->nodes[i];
    node->dead = !node->uses;
    for (int k = 0; k < node->n_inputs && !node->dead; k++) {
      if (node->inputs[k] >= 0)
        d->nodes[node->inputs[k]].uses++;
      else
        s->picture_uses++;
    }
  }
}

static void (*const rules[DRAFT_OP_COUNT][3])(simplifier *, int) = {
    [DRAFT_AFFINE] = {rule_scaled_mul, rule_affine},
    [DRAFT_CLIP] = {rule_clip},
    [DRAFT_MUL] = {rule_mul},
    [DRAFT_CONCAT] = {rule_concat},
    [DRAFT_CONV] = {rule_pad},
    [DRAFT_MAX_POOL] = {rule_pool},
    [DRAFT_AVG_POOL] = {rule_pool},
};

static void apply(simplifier *s, int i) {
  const draft_op op = s->d->nodes[i].op;
  for (int k = 0; k < 3 && rules[op][k]; k++) {
    rules[op][k](s, i);
    if (s->changed)
      return;
  }
}

/* What is left of a hard sigmoid when no product took it. */
static void last_rules(simplifier *s) {
  for (int i = 0; i < s->d->n; i++)
    if (!s->d->nodes[i].dead)
      rule_hard_sigmoid(s, i);
}

cam_code draft_simplify(draft *d) {
  simplifier s = {.d = d};
  s.becomes = arena_alloc(d->memory, (size_t)d->n * sizeof *s.becomes + 1);
  if (!s.becomes)
    return cam_fail(d->error, CAM_E_NO_MEMORY, "no memory to simplify %d nodes", d->n);
  for (int i = 0; i < d->n; i++)
    s.becomes[i] = i;
  for (int c = 0; c < 3; c++)
    d->picture_factor[c] = 1;
  count_uses(&s);
  bool more = true;
  for (int round = 0; more && round < MOST_ROUNDS; round++) {
    more = false;
    for (int i = 0; i < d->n; i++) {
      if (d->nodes[i].dead || s.becomes[i] != i)
        continue;
      s.changed = false;
      apply(&s, i);
      if (s.changed)
        count_uses(&s);
      more |= s.changed;
    }
    s.changed = false;
    drop_ending(&s);
    swap_last_gap(&s);
    if (s.changed)
      count_uses(&s);
    more |= s.changed;
  }
  last_rules(&s);
  count_uses(&s);
  return s.no_memory ? cam_fail(d->error, CAM_E_NO_MEMORY, "no memory to simplify a network")
                     : CAM_OK;
}
