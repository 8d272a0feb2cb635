/* context.c - cam_context: a team, and what its threads work in. Flow: model -> [context] ->
 * explain, bench. Thread: made and freed by one; then one caller at a time. */
#include "context.h"
#include "cam_minmax.h"
#include "model/detail.h"
#include "network/blas.h"
#include <stdlib.h>

/* What an arena for the largest input of CAM_FINE takes. */
static cam_code measure_fine(cam_context *context, cam_error *error) {
  int ends[DETAIL_ENDS][2];
  cam_code code = CAM_OK;
  detail_ends(context->model->graph, DETAIL_PASSES - 1, ends);
  for (int i = 0; i < DETAIL_ENDS && !code && context->model->info.fine; i++) {
    size_t bytes;
    code = forward_measure(context->forward, ends[i][0], ends[i][1], &bytes, error);
    context->fine_bytes = max_size(context->fine_bytes, bytes);
  }
  return code;
}

/* A context without those of its threads. */
static cam_code context_new(const cam_model *model, int threads, const cam_limits *limits,
                            cam_context **out, cam_error *error) {
  cam_context *context = *out = calloc(1, sizeof *context);
  if (!context)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a context");
  context->model = model;
  context->limits = *limits;
  size_t cells = (size_t)model->graph->max_side * (size_t)model->graph->max_side;
  context->logits = malloc((size_t)model->info.classes * sizeof *context->logits);
  context->scaled = malloc(cells * sizeof *context->scaled);
  context->runs = malloc(map_box_runs(model->graph->max_side, model->graph->max_side) *
                         sizeof *context->runs);
  if (!context->logits || !context->scaled || !context->runs)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a context");
  cam_code code = team_create(threads, &context->team, error);
  if (!code)
    code = forward_create(model->net, context->team, &context->forward, error);
  if (!code)
    code = measure_fine(context, error);
  return code;
}

/* A context for each thread, with a team of one. */
static cam_code contexts_alone(cam_context *context, int threads, cam_error *error) {
  context->alone = calloc((size_t)threads, sizeof(cam_context *));
  if (!context->alone)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a context");
  cam_code code = CAM_OK;
  for (int i = 0; i < threads && !code; i++)
    code = context_new(context->model, 1, &context->limits, &context->alone[i], error);
  return code;
}

static void context_delete(cam_context *context) {
  if (!context)
    return;
  for (int i = 0; context->alone && i < team_threads(context->team); i++)
    context_delete(context->alone[i]);
  free(context->alone);
  forward_free(context->forward);
  team_free(context->team);
  free(context->runs);
  free(context->scaled);
  free(context->logits);
  free(context);
}

cam_code cam_context_create(const cam_model *model, int threads, const cam_limits *limits,
                            cam_context **out, cam_error *error) {
  *out = NULL;
  cam_code code = blas_reserve(threads, error);
  if (code)
    return code;
  code = context_new(model, threads, limits, out, error);
  if (!code && threads > 1)
    code = contexts_alone(*out, threads, error);
  if (!code)
    return CAM_OK;
  context_delete(*out);
  blas_release(threads);
  *out = NULL;
  return code;
}

void cam_context_free(cam_context *context) {
  if (!context)
    return;
  blas_release(team_threads(context->team));
  context_delete(context);
}

int cam_spread_least(const cam_context *context) { return team_threads(context->team) / 2 + 1; }

/* ---- things that threads do alone ---- */

cam_context *cam_context_alone(cam_context *context, int thread) {
  if (context->alone)
    return context->alone[thread];
  return context;
}

typedef struct spread_call {
  cam_context *context;
  cam_spread_work *work;
  void *closure;
} spread_call;
static void spread_one(void *closure, int index, int thread) {
  const spread_call *call = closure;
  call->work(call->closure, index, cam_context_alone(call->context, thread));
}

void cam_spread(cam_context *context, int n, cam_spread_work *work, void *closure) {
  spread_call call = {context, work, closure};
  team_for(context->team, n, spread_one, &call);
}
