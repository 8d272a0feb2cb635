/* rank.h - logits -> the classes to explain. Flow: forward -> [rank] -> class maps. Thread: worker;
 * touches only its arguments. */
#ifndef RANK_H
#define RANK_H
#include "cam_engine.h"

/* The classes to explain, into result->predictions, after those that are there: the top-k by rank,
 * then those asked for that are not among them; with rank, probability and logit. logits:
 * [model->classes]. */
void choose_classes(const cam_params *params, const cam_model_info *model, const float *logits,
                    cam_result *result);

/* Of all classes: probabilities[n_classes]. */
void all_probabilities(const cam_model_info *model, const float *logits, float *probabilities);

#endif
