/* rank.c - rank.h. Flow: forward -> [rank] -> class maps. Thread: worker; touches only its
 * arguments. */
#include "rank.h"
#include <math.h>
#include <stdbool.h>

/* Is class a before class b in the order of probability? Ties go to the lower class. */
static bool ranks_before(const float *logits, int a, int b) {
  return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
}

/* Class c into the list of the `most` likeliest so far, at its place. */
static void insert(const float *logits, int c, int most, cam_result *result) {
  int at = result->count;
  while (at > 0 && ranks_before(logits, c, result->predictions[at - 1].class_id))
    at--;
  if (at == most)
    return;
  if (result->count < most)
    result->count++;
  for (int i = result->count - 1; i > at; i--)
    result->predictions[i].class_id = result->predictions[i - 1].class_id;
  result->predictions[at].class_id = c;
}

static bool is_chosen(const cam_result *result, int class_id) {
  for (int i = 0; i < result->count; i++)
    if (result->predictions[i].class_id == class_id)
      return true;
  return false;
}

/* How a model makes probabilities of logits: exp(logit - largest) / sum over all classes, or the
 * sigmoid of each. */
typedef struct likelihood {
  cam_probability kind;
  double largest, sum;
} likelihood;

static likelihood likelihood_of(const cam_model_info *model, const float *logits) {
  likelihood all = {.kind = model->probability, .largest = logits[0]};
  for (int c = 1; c < model->classes; c++) /* fmax here ends GCC 12 for aarch64 in an error */
    if (logits[c] > all.largest)
      all.largest = logits[c];
  for (int c = 0; c < model->classes; c++)
    all.sum += exp(logits[c] - all.largest);
  return all;
}

static float probability_of(likelihood all, float logit) {
  if (all.kind == CAM_SIGMOID)
    return (float)(1 / (1 + exp(-(double)logit)));
  return (float)(exp(logit - all.largest) / all.sum);
}

void all_probabilities(const cam_model_info *model, const float *logits, float *probabilities) {
  const likelihood all = likelihood_of(model, logits);
  for (int c = 0; c < model->classes; c++)
    probabilities[c] = probability_of(all, logits[c]);
}

void choose_classes(const cam_params *params, const cam_model_info *model, const float *logits,
                    cam_result *result) {
  for (int c = 0; c < model->classes; c++)
    insert(logits, c, params->top_k, result);
  for (int i = 0; i < params->n_classes; i++)
    if (!is_chosen(result, params->classes[i]))
      result->predictions[result->count++].class_id = params->classes[i];
  const likelihood all = likelihood_of(model, logits);
  for (int i = 0; i < result->count; i++) {
    cam_prediction *p = &result->predictions[i];
    p->logit = logits[p->class_id];
    p->probability = probability_of(all, p->logit);
    p->rank = 1;
    for (int c = 0; c < model->classes; c++)
      p->rank += c != p->class_id && ranks_before(logits, c, p->class_id);
  }
}
