/* head_fit.c - head_fit.h over liblbfgs (Nocedal's L-BFGS, Naoaki Okazaki) and OpenBLAS.
 *
 * f(W) = sum over samples of share * cross_entropy(W x + bias, label) + decay * |W - start|^2 / 2,
 * df/dW = sum of share * (softmax - one hot) x^T + decay * (W - start).
 * Samples go by blocks, one product forward and one back each; a block is the same whatever is kept
 * of its photos, and so is each sum. */
#include "head_fit.h"
#include "cam_minmax.h"
#include "network/blas.h"
#include <lbfgs.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256, ITERATIONS_MOST = 500, CORRECTIONS = 10, CORRECTIONS_OF_MANY = 4 };
static const double precise = 1e-5; /* |gradient| / |W| where it is done */
static const int many = 500000;     /* weights, from which on fewer corrections are kept */

/* What weights come to. */
typedef struct head_loss {
  double cross_entropy, decayed;
  int right;
} head_loss;

typedef struct fitting {
  const head_task *task;
  double *rows;   /* [BLOCK,channels] */
  double *scores; /* [BLOCK,classes] */
  float *floats;  /* [BLOCK,channels] */
  cam_error *error;
  head_loss last, kept; /* of the last evaluation; of the last iteration */
  int iterations;
  bool failed;  /* photos could not be read any more; nothing is evaluated after that */
  bool stopped; /* between two iterations */
} fitting;

static cam_code get_block(fitting *f, int first, int n) {
  const head_task *task = f->task;
  const size_t channels = (size_t)task->channels;
  float *out[BLOCK];
  for (int i = 0; i < n; i++)
    out[i] = f->floats + (size_t)i * channels;
  const cam_code code = samples_get(task->from, SAMPLE_FEATURES, n, task->views + first, out,
                                    f->error);
  for (size_t i = 0; i < (size_t)n * channels && !code; i++)
    f->rows[i] = f->floats[i];
  return code;
}

static void score_block(fitting *f, int n, const double *weight) {
  const head_task *task = f->task;
  blas_rows_by_rows(n, task->classes, task->channels, f->rows, weight, f->scores);
  for (int i = 0; i < n && task->bias; i++)
    for (int c = 0; c < task->classes; c++)
      f->scores[(size_t)i * (size_t)task->classes + (size_t)c] += task->bias[c];
}

/* The scores of a sample become what its logits move the loss by; its share of the loss. */
static double differ(double *scores, int classes, int label, double share, int *right) {
  double most = scores[0], sum = 0;
  int best = 0;
  for (int c = 1; c < classes; c++)
    if (scores[c] > most) {
      most = scores[c];
      best = c;
    }
  *right += best == label;
  for (int c = 0; c < classes; c++)
    sum += exp(scores[c] - most);
  const double loss = share * (log(sum) + most - scores[label]);
  for (int c = 0; c < classes; c++)
    scores[c] = share * exp(scores[c] - most) / sum;
  scores[label] -= share;
  return loss;
}

/* Begins the gradient with that of the decay, which is returned. */
static double decay_gradient(const head_task *task, const double *weight, double *gradient, int n) {
  double squares = 0;
  for (int i = 0; i < n; i++) {
    double from = 0;
    if (task->start)
      from = task->start[i];
    squares += (weight[i] - from) * (weight[i] - from);
    gradient[i] = task->decay * (weight[i] - from);
  }
  return task->decay * squares / 2;
}

/* Where photos fail it is infinite, so that no step is taken there. */
static lbfgsfloatval_t evaluate_head(void *closure, const lbfgsfloatval_t *weight,
                                     lbfgsfloatval_t *gradient, const int n,
                                     const lbfgsfloatval_t step) {
  fitting *f = closure;
  const head_task *task = f->task;
  (void)step;
  f->last = (head_loss){.decayed = decay_gradient(task, weight, gradient, n)};
  for (int first = 0; first < task->n; first += BLOCK) {
    const int rows = min_int(BLOCK, task->n - first);
    f->failed = f->failed || get_block(f, first, rows);
    if (f->failed)
      return HUGE_VAL;
    score_block(f, rows, weight);
    for (int i = 0; i < rows; i++)
      f->last.cross_entropy += differ(f->scores + (size_t)i * (size_t)task->classes, task->classes,
                                      task->labels[first + i], task->shares[first + i],
                                      &f->last.right);
    blas_add_columns_by_columns(task->classes, task->channels, rows, f->scores, f->rows, gradient);
  }
  return f->last.cross_entropy + f->last.decayed;
}

static int count_iteration(void *closure, const lbfgsfloatval_t *x, const lbfgsfloatval_t *g,
                           const lbfgsfloatval_t fx, const lbfgsfloatval_t xnorm,
                           const lbfgsfloatval_t gnorm, const lbfgsfloatval_t step, int n, int k,
                           int ls) {
  fitting *f = closure;
  (void)x;
  (void)g;
  (void)fx;
  (void)xnorm;
  (void)gnorm;
  (void)step;
  (void)n;
  (void)ls;
  f->iterations = k;
  f->kept = f->last;
  f->stopped = train_end_has_come(f->task->end);
  return f->stopped;
}

static cam_code fitting_begin(fitting *f, const head_task *task, cam_error *error) {
  const size_t channels = (size_t)task->channels, classes = (size_t)task->classes;
  *f = (fitting){.task = task, .error = error};
  f->rows = malloc(BLOCK * channels * sizeof *f->rows);
  f->floats = malloc(BLOCK * channels * sizeof *f->floats);
  f->scores = malloc(BLOCK * classes * sizeof *f->scores);
  if (!f->rows || !f->floats || !f->scores)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a head of %d classes", task->classes);
  return CAM_OK;
}

static void fitting_end(fitting *f) {
  free(f->rows);
  free(f->floats);
  free(f->scores);
}

/* From start to the minimum. What liblbfgs says of the way there (a step too small to tell, as many
 * iterations as are allowed) does not matter: the weights are the best that it has found. */
static cam_code minimize(fitting *f, lbfgsfloatval_t *weight, int n) {
  lbfgs_parameter_t settings;
  lbfgs_parameter_init(&settings);
  settings.m = CORRECTIONS;
  if (n > many)
    settings.m = CORRECTIONS_OF_MANY;
  settings.epsilon = precise;
  settings.max_iterations = ITERATIONS_MOST;
  const int how = lbfgs(n, weight, NULL, evaluate_head, count_iteration, f, &settings);
  if (how == LBFGSERR_OUTOFMEMORY)
    return cam_fail(f->error, CAM_E_NO_MEMORY, "no memory for fitting %d weights", n);
  return CAM_OK;
}

/* What the weights that are kept come to, in the precision that they are kept in, if photos can
 * still be read. */
static cam_code measure_head(fitting *f, lbfgsfloatval_t *weight, int n, head_result *out) {
  lbfgsfloatval_t *gradient = malloc((size_t)n * sizeof *gradient);
  if (!gradient)
    return cam_fail(f->error, CAM_E_NO_MEMORY, "no memory for %d weights", n);
  for (int i = 0; i < n; i++) {
    out->weight[i] = (float)weight[i];
    weight[i] = out->weight[i];
  }
  if (isfinite(evaluate_head(f, weight, gradient, n, 0)))
    f->kept = f->last;
  free(gradient);
  out->cross_entropy = f->kept.cross_entropy;
  out->weight_decay = f->kept.decayed;
  out->accuracy = (double)f->kept.right / f->task->n;
  out->iterations = f->iterations;
  out->stopped = f->stopped || f->failed;
  return CAM_OK;
}

cam_code head_fit(const head_task *task, head_result *out, cam_error *error) {
  fitting f;
  cam_error why = {0};
  const int n = task->classes * task->channels;
  *out = (head_result){.weight = calloc((size_t)n, sizeof(float))};
  lbfgsfloatval_t *weight = lbfgs_malloc(n);
  cam_code code = fitting_begin(&f, task, &why);
  if (!code && (!weight || !out->weight))
    code = cam_fail(&why, CAM_E_NO_MEMORY, "no memory for %d weights", n);
  for (int i = 0; i < n && !code; i++) {
    weight[i] = 0;
    if (task->start)
      weight[i] = task->start[i];
  }
  if (!code)
    code = minimize(&f, weight, n);
  if (!code)
    code = measure_head(&f, weight, n, out);
  if (!code && f.failed && why.code != CAM_E_DEADLINE)
    code = why.code;
  if (!code && f.failed && !f.iterations)
    code = cam_fail(&why, CAM_E_DEADLINE, "stopped before there was anything to keep");
  if (weight)
    lbfgs_free(weight);
  fitting_end(&f);
  if (code)
    *error = why;
  return code;
}

cam_code head_logits(const head_task *task, const float *weight, float *logits, cam_error *error) {
  fitting f;
  const size_t classes = (size_t)task->classes, n = classes * (size_t)task->channels;
  double *precise_weight = malloc(n * sizeof *precise_weight);
  cam_code code = fitting_begin(&f, task, error);
  if (!code && !precise_weight)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu weights", n);
  for (size_t i = 0; i < n && !code; i++)
    precise_weight[i] = weight[i];
  for (int first = 0; first < task->n && !code; first += BLOCK) {
    const int rows = min_int(BLOCK, task->n - first);
    code = get_block(&f, first, rows);
    if (code)
      break;
    score_block(&f, rows, precise_weight);
    for (size_t i = 0; i < (size_t)rows * classes; i++)
      logits[(size_t)first * classes + i] = (float)f.scores[i];
  }
  free(precise_weight);
  fitting_end(&f);
  return code;
}
