/* onnx_fold.c - arithmetic on constants: what exporters compute shapes, pads and folded weights
 * with. Whole numbers stay whole (and wrap, as in two's complement); real ones are computed in
 * double and rounded to float32 after each operator, as the exporter's own run would. */
#include "cam_minmax.h"
#include "onnx_operator.h"
#include <math.h>
#include <string.h>

/* ---- two operands, broadcast ---- */

static int64_t whole_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t whole_sub(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static int64_t whole_mul(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }
static int64_t whole_div(int64_t a, int64_t b) {
  if (b == 0 || b == -1) /* 0 is refused before */
    return whole_sub(0, a);
  return a / b;
}
static int64_t whole_mod(int64_t a, int64_t b) { /* the sign of b, as ONNX and Python */
  if (!b || b == -1)
    return 0;
  const int64_t rest = a % b;
  if (rest && (rest < 0) != (b < 0))
    return rest + b;
  return rest;
}
static int64_t whole_pow(int64_t a, int64_t b) {
  const double power = pow((double)a, (double)b);
  if (fabs(power) < 9e18)
    return (int64_t)power;
  return 0;
}
static int64_t whole_equal(int64_t a, int64_t b) { return a == b; }
static int64_t whole_less(int64_t a, int64_t b) { return a < b; }
static int64_t whole_less_equal(int64_t a, int64_t b) { return a <= b; }
static int64_t whole_and(int64_t a, int64_t b) { return a && b; }
static int64_t whole_or(int64_t a, int64_t b) { return a || b; }

static double real_add(double a, double b) { return a + b; }
static double real_sub(double a, double b) { return a - b; }
static double real_mul(double a, double b) { return a * b; }
static double real_div(double a, double b) { return a / b; }
static double real_min(double a, double b) { return a < b ? a : b; }
static double real_max(double a, double b) { return a > b ? a : b; }
static double real_equal(double a, double b) { return a == b; }
static double real_less(double a, double b) { return a < b; }
static double real_less_equal(double a, double b) { return a <= b; }

typedef struct pair_rule {
  const char *name;
  double (*real)(double, double);
  int64_t (*whole)(int64_t, int64_t);
  bool compares; /* gives whole numbers */
  bool swapped;  /* of b and a */
} pair_rule;
static const pair_rule pairs[] = {
    {"Add", real_add, whole_add, false, false},
    {"Sub", real_sub, whole_sub, false, false},
    {"Mul", real_mul, whole_mul, false, false},
    {"Div", real_div, whole_div, false, false},
    {"Mod", fmod, whole_mod, false, false},
    {"Pow", pow, whole_pow, false, false},
    {"Min", real_min, min_int64, false, false},
    {"Max", real_max, max_int64, false, false},
    {"Equal", real_equal, whole_equal, true, false},
    {"Less", real_less, whole_less, true, false},
    {"LessOrEqual", real_less_equal, whole_less_equal, true, false},
    {"Greater", real_less, whole_less, true, true},
    {"GreaterOrEqual", real_less_equal, whole_less_equal, true, true},
    {"And", real_min, whole_and, true, false},
    {"Or", real_max, whole_or, true, false},
};

/* The shape that operands broadcast to, and each one's steps through it (0 where it is repeated).
 */
typedef struct spread {
  int rank;
  int64_t shape[NUMBER_MAX_RANK], index[NUMBER_MAX_RANK];
  int n;
  int64_t at[3], stride[3][NUMBER_MAX_RANK];
} spread;

static bool spread_over(spread *s, int n, const constant *const *operands) {
  *s = (spread){.n = n};
  for (int k = 0; k < n; k++)
    s->rank = max_int(s->rank, operands[k]->rank);
  for (int side = 0; side < s->rank; side++)
    s->shape[side] = 1;
  for (int k = 0; k < n; k++) {
    const constant *c = operands[k];
    int64_t step = 1;
    for (int i = c->rank - 1; i >= 0; i--) {
      const int side = s->rank - c->rank + i;
      if (c->shape[i] != 1 && s->shape[side] != 1 && c->shape[i] != s->shape[side])
        return false;
      if (c->shape[i] != 1) {
        s->shape[side] = c->shape[i];
        s->stride[k][side] = step;
      }
      step *= c->shape[i];
    }
  }
  return true;
}

static void spread_next(spread *s) {
  for (int side = s->rank - 1; side >= 0; side--) {
    for (int k = 0; k < s->n; k++)
      s->at[k] += s->stride[k][side];
    if (++s->index[side] < s->shape[side])
      return;
    for (int k = 0; k < s->n; k++)
      s->at[k] -= s->stride[k][side] * s->shape[side];
    s->index[side] = 0;
  }
}

static constant *apply_pair(onnx_import *im, const pair_rule *rule, const constant *a,
                            const constant *b) {
  const constant *const operands[2] = {rule->swapped ? b : a, rule->swapped ? a : b};
  constant_room to;
  spread s;
  if (!spread_over(&s, 2, operands))
    return NULL;
  const bool of_whole = a->whole && b->whole, to_real = !of_whole && !rule->compares;
  constant *made = constant_new(im->file->values, s.rank, s.shape, to_real, &to);
  for (int64_t i = 0; made && i < made->n; i++, spread_next(&s)) {
    if (of_whole)
      to.whole[i] = rule->whole(operands[0]->whole[s.at[0]], operands[1]->whole[s.at[1]]);
    else {
      const double value = rule->real(constant_at(operands[0], s.at[0]),
                                      constant_at(operands[1], s.at[1]));
      constant_put(&to, i, value);
    }
  }
  return made;
}

/* All inputs are there and have numbers. */
static cam_code check_inputs(onnx_import *im) {
  for (int i = 0; i < im->n_in; i++) {
    const constant *c;
    cam_code code = onnx_constant(im, i, &c);
    if (code)
      return code;
  }
  return CAM_OK;
}

static cam_code fold_pair(onnx_import *im) {
  const pair_rule *rule = pairs;
  while (strcmp(rule->name, im->node->op))
    rule++;
  cam_code code = check_inputs(im);
  if (code)
    return code;
  const constant *made = im->in[0]->constant;
  for (int i = 1; i < im->n_in; i++) {
    if (!im->in[i])
      return onnx_refuse(im, "input %d is not given", i + 1);
    if (rule->whole == whole_div && im->in[i]->constant->whole)
      for (int64_t k = 0; k < im->in[i]->constant->n; k++)
        if (!im->in[i]->constant->whole[k])
          return onnx_refuse(im, "division by 0");
    made = apply_pair(im, rule, made, im->in[i]->constant);
    if (!made)
      return onnx_refuse(im, "the shapes of its inputs do not fit, or are too large");
  }
  return onnx_set_constant(im, 0, made);
}

static cam_code fold_where(onnx_import *im) {
  cam_code code = check_inputs(im);
  if (code)
    return code;
  const constant *const in[3] = {im->in[0]->constant, im->in[1]->constant, im->in[2]->constant};
  constant_room to;
  spread s;
  if (!spread_over(&s, 3, in))
    return onnx_refuse(im, "the shapes of its inputs do not fit");
  const bool to_real = in[1]->real || in[2]->real;
  constant *made = constant_new(im->file->values, s.rank, s.shape, to_real, &to);
  for (int64_t i = 0; made && i < made->n; i++, spread_next(&s)) {
    const int pick = constant_at(in[0], s.at[0]) != 0 ? 1 : 2;
    if (to_real)
      constant_put(&to, i, constant_at(in[pick], s.at[pick]));
    else
      constant_copy(&to, i, in[pick], s.at[pick]);
  }
  return onnx_set_constant(im, 0, made);
}

/* ---- one operand ---- */

static double minus(double a) { return -a; }
static double invert(double a) { return 1 / a; }
static double logistic(double a) { return 1 / (1 + exp(-a)); }
static double sign(double a) { return (a > 0) - (a < 0); }
static double not(double a) { return a == 0; }

static const struct {
  const char *name;
  double (*real)(double);
} singles[] = {{"Neg", minus},  {"Abs", fabs},         {"Floor", floor},       {"Ceil", ceil},
               {"Round", rint}, {"Sqrt", sqrt},        {"Reciprocal", invert}, {"Exp", exp},
               {"Log", log},    {"Sigmoid", logistic}, {"Sign", sign},         {"Not", not }};

static cam_code fold_single(onnx_import *im) {
  size_t rule = 0;
  const constant *in;
  constant_room to;
  cam_code code = onnx_constant(im, 0, &in);
  if (code)
    return code;
  while (strcmp(singles[rule].name, im->node->op))
    rule++;
  constant *made = constant_new(im->file->values, in->rank, in->shape, in->real != NULL, &to);
  for (int64_t i = 0; made && i < made->n; i++) {
    const double value = singles[rule].real(constant_at(in, i));
    constant_put(&to, i, value);
  }
  return onnx_set_constant(im, 0, made);
}

static cam_code fold_clip(onnx_import *im) {
  const constant *in, *least, *most;
  constant_room to;
  cam_code code = onnx_constant(im, 0, &in);
  if (!code)
    code = onnx_constant(im, 1, &least);
  if (!code)
    code = onnx_constant(im, 2, &most);
  if (code)
    return code;
  double low = onnx_real(im, "min", -HUGE_VAL), high = onnx_real(im, "max", HUGE_VAL);
  if (least && least->n)
    low = constant_at(least, 0);
  if (most && most->n)
    high = constant_at(most, 0);
  constant *made = constant_new(im->file->values, in->rank, in->shape, in->real != NULL, &to);
  for (int64_t i = 0; made && i < made->n; i++) {
    const double value = real_min(real_max(constant_at(in, i), low), high);
    if (value == constant_at(in, i))
      constant_copy(&to, i, in, i);
    else
      constant_put(&to, i, value);
  }
  return onnx_set_constant(im, 0, made);
}

/* ---- over sides ---- */

static const struct {
  const char *name;
  double (*join)(double, double);
  double begin;
  bool mean;
} reductions[] = {{"ReduceSum", real_add, 0, false},
                  {"ReduceMean", real_add, 0, true},
                  {"ReduceProd", real_mul, 1, false},
                  {"ReduceMin", real_min, HUGE_VAL, false},
                  {"ReduceMax", real_max, -HUGE_VAL, false}};

static cam_code fold_reduction(onnx_import *im) {
  size_t rule = 0;
  const constant *in;
  int64_t axes[NUMBER_MAX_RANK], shape[NUMBER_MAX_RANK], stride[NUMBER_MAX_RANK] = {0},
                                                         index[NUMBER_MAX_RANK] = {0};
  int n, kept = 0;
  bool over[NUMBER_MAX_RANK] = {false};
  const bool keep = onnx_whole(im, "keepdims", 1);
  cam_code code = onnx_constant(im, 0, &in);
  if (!code)
    code = onnx_wholes(im, 1, "axes", NUMBER_MAX_RANK, axes, &n);
  for (int i = 0; !code && i < n; i++) {
    int axis;
    code = onnx_axis(im, axes[i], in->rank, &axis);
    if (!code)
      over[axis] = true;
  }
  if (code)
    return code;
  while (strcmp(reductions[rule].name, im->node->op))
    rule++;
  int64_t step = 1, places = 1;
  for (int s = in->rank - 1; s >= 0; s--) {
    over[s] |= n < 1;
    if (over[s]) {
      places *= in->shape[s];
      continue;
    }
    stride[s] = step;
    step *= in->shape[s];
  }
  for (int s = 0; s < in->rank; s++)
    if (!over[s] || keep)
      shape[kept++] = over[s] ? 1 : in->shape[s];
  constant_room to;
  constant *made = constant_new(im->file->values, kept, shape, in->real != NULL, &to);
  double *sums = made ? arena_alloc(im->file->values, (size_t)made->n * sizeof *sums + 1) : NULL;
  if (!sums)
    return onnx_no_memory(im);
  for (int64_t i = 0; i < made->n; i++)
    sums[i] = reductions[rule].begin;
  for (int64_t i = 0; i < in->n; i++) {
    int64_t sum = 0;
    for (int s = 0; s < in->rank; s++)
      sum += index[s] * stride[s];
    sums[sum] = reductions[rule].join(sums[sum], constant_at(in, i));
    for (int s = in->rank - 1; s >= 0 && ++index[s] == in->shape[s]; s--)
      index[s] = 0;
  }
  for (int64_t i = 0; i < made->n; i++) {
    const double value = reductions[rule].mean ? sums[i] / (double)places : sums[i];
    constant_put(&to, i, value);
  }
  return onnx_set_constant(im, 0, made);
}

/* ---- from nothing ---- */

static cam_code fold_constant_of_shape(onnx_import *im) {
  int64_t shape[NUMBER_MAX_RANK];
  int rank;
  constant_room to;
  const onnx_attribute *value = onnx_find(im->node, "value");
  cam_code code = onnx_wholes(im, 0, "shape", NUMBER_MAX_RANK, shape, &rank);
  if (code)
    return code;
  const constant *fill = value ? value->tensor : NULL;
  if (fill && (fill->type || fill->n != 1))
    return onnx_refuse(im, "attribute value is not one number that is read");
  if (!fill || fill->real) {
    const double number = fill ? constant_at(fill, 0) : 0;
    return onnx_set_constant(im, 0, constant_alike(im->file->values, rank, shape, number));
  }
  constant *made = constant_new(im->file->values, rank, shape, false, &to);
  for (int64_t i = 0; made && i < made->n; i++)
    to.whole[i] = fill->whole[0];
  return onnx_set_constant(im, 0, made);
}

static cam_code fold_range(onnx_import *im) {
  cam_code code = check_inputs(im);
  constant_room to;
  if (code)
    return code;
  const constant *const in[3] = {im->in[0]->constant, im->in[1]->constant, im->in[2]->constant};
  if (!in[0]->n || !in[1]->n || !in[2]->n)
    return onnx_refuse(im, "an input is empty");
  const double start = constant_at(in[0], 0), step = constant_at(in[2], 0),
               n = ceil((constant_at(in[1], 0) - start) / step);
  if (!(n <= CONSTANT_MOST))
    return onnx_refuse(im, "%g numbers; allowed are %d", n, CONSTANT_MOST);
  const int64_t count = n > 0 ? (int64_t)n : 0;
  const bool is_whole = in[0]->whole && in[1]->whole && in[2]->whole;
  constant *made = constant_new(im->file->values, 1, &count, !is_whole, &to);
  for (int64_t i = 0; made && i < count; i++) {
    if (!is_whole)
      constant_put(&to, i, start + (double)i * step);
    else
      to.whole[i] = whole_add(in[0]->whole[0], whole_mul(i, in[2]->whole[0]));
  }
  return onnx_set_constant(im, 0, made);
}

static cam_code fold_tile(onnx_import *im) {
  int64_t times[NUMBER_MAX_RANK], shape[NUMBER_MAX_RANK], index[NUMBER_MAX_RANK] = {0};
  int n;
  const constant *in;
  constant_room to;
  cam_code code = onnx_constant(im, 0, &in);
  if (!code)
    code = onnx_wholes(im, 1, "repeats", NUMBER_MAX_RANK, times, &n);
  if (code)
    return code;
  for (int s = 0; s < in->rank; s++) {
    if (n != in->rank || times[s] < 0 || times[s] > CONSTANT_MOST)
      return onnx_refuse(im, "%d repeats for %d sides", n, in->rank);
    shape[s] = in->shape[s] * times[s];
  }
  constant *made = constant_new(im->file->values, in->rank, shape, in->real != NULL, &to);
  for (int64_t i = 0; made && i < made->n; i++) {
    int64_t from = 0;
    for (int s = 0; s < in->rank; s++)
      from = from * in->shape[s] + index[s] % in->shape[s];
    constant_copy(&to, i, in, from);
    for (int s = in->rank - 1; s >= 0 && ++index[s] == shape[s]; s--)
      index[s] = 0;
  }
  return onnx_set_constant(im, 0, made);
}

const onnx_operator onnx_fold_operators[] = {
    {"Abs", 1, 1, " ", fold_single},
    {"Add", 2, 2, " axis broadcast ", fold_pair},
    {"And", 2, 2, " ", fold_pair},
    {"Ceil", 1, 1, " ", fold_single},
    {"Clip", 1, 3, " min max ", fold_clip},
    {"ConstantOfShape", 1, 1, " value ", fold_constant_of_shape},
    {"Div", 2, 2, " ", fold_pair},
    {"Equal", 2, 2, " ", fold_pair},
    {"Exp", 1, 1, " ", fold_single},
    {"Floor", 1, 1, " ", fold_single},
    {"Greater", 2, 2, " ", fold_pair},
    {"GreaterOrEqual", 2, 2, " ", fold_pair},
    {"Less", 2, 2, " ", fold_pair},
    {"LessOrEqual", 2, 2, " ", fold_pair},
    {"Log", 1, 1, " ", fold_single},
    {"Max", 1, 16, " ", fold_pair},
    {"Min", 1, 16, " ", fold_pair},
    {"Mod", 2, 2, " fmod ", fold_pair},
    {"Mul", 2, 2, " ", fold_pair},
    {"Neg", 1, 1, " ", fold_single},
    {"Not", 1, 1, " ", fold_single},
    {"Or", 2, 2, " ", fold_pair},
    {"Pow", 2, 2, " ", fold_pair},
    {"Range", 3, 3, " ", fold_range},
    {"Reciprocal", 1, 1, " ", fold_single},
    {"ReduceMax", 1, 2, " axes keepdims ", fold_reduction},
    {"ReduceMean", 1, 2, " axes keepdims ", fold_reduction},
    {"ReduceMin", 1, 2, " axes keepdims ", fold_reduction},
    {"ReduceProd", 1, 2, " axes keepdims ", fold_reduction},
    {"ReduceSum", 1, 2, " axes keepdims noop_with_empty_axes ", fold_reduction},
    {"Round", 1, 1, " ", fold_single},
    {"Sigmoid", 1, 1, " ", fold_single},
    {"Sign", 1, 1, " ", fold_single},
    {"Sqrt", 1, 1, " ", fold_single},
    {"Sub", 2, 2, " ", fold_pair},
    {"Tile", 2, 2, " ", fold_tile},
    {"Where", 3, 3, " ", fold_where},
    {.name = NULL},
};
