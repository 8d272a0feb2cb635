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

/* Of the classes chosen, the first of which has the largest logit. */
static void set_probabilities(const cam_model_info *model, const float *logits,
                              cam_result *result) {
  double sum = 0, largest = logits[result->predictions[0].class_id];
  for (int c = 0; c < model->classes; c++)
    sum += exp(logits[c] - largest);
  for (int i = 0; i < result->count; i++) {
    cam_prediction *p = &result->predictions[i];
    if (model->probability == CAM_SIGMOID)
      p->probability = (float)(1 / (1 + exp(-(double)p->logit)));
    else
      p->probability = (float)(exp(p->logit - largest) / sum);
  }
}

void choose_classes(const cam_params *params, const cam_model_info *model, const float *logits,
                    cam_result *result) {
  for (int c = 0; c < model->classes; c++)
    insert(logits, c, params->top_k, result);
  for (int i = 0; i < params->n_classes; i++)
    if (!is_chosen(result, params->classes[i]))
      result->predictions[result->count++].class_id = params->classes[i];
  for (int i = 0; i < result->count; i++) {
    cam_prediction *p = &result->predictions[i];
    p->logit = logits[p->class_id];
    p->rank = 1;
    for (int c = 0; c < model->classes; c++)
      p->rank += c != p->class_id && ranks_before(logits, c, p->class_id);
  }
  set_probabilities(model, logits, result);
}
