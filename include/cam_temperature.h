/* cam_temperature.h - how sure a model may be: a number that its logits are divided by, so that of
 * the photos that it is 80 % sure of 80 % are right. Guo et al., "On Calibration of Modern Neural
 * Networks", ICML 2017. It changes no label and no map. Implemented in engine/train/temperature.c.
 * Thread: any. */
#ifndef CAM_TEMPERATURE_H
#define CAM_TEMPERATURE_H

#define CAM_TEMPERATURE_LEAST 0.05
#define CAM_TEMPERATURE_MOST 20.0

/* What a model said of photos whose classes are known. */
typedef struct cam_logits {
  int n, classes;
  int stride;          /* rows from one photo to the next: 2 is every other one */
  const float *values; /* [n*stride,classes] logits, or logarithms of probabilities */
  const int *labels;   /* [n*stride] 0 to classes-1 */
} cam_logits;

/* The temperature of the least mean cross entropy, within the two bounds; 0: none can be told, for
 * there is no photo, or each one's class has the largest logit, so that being surer is always
 * better. */
double cam_fit_temperature(const cam_logits *logits);

/* Of a photo, under softmax(logits / temperature): the probability of a class, and minus its
 * logarithm. */
double cam_tempered(const float *logits, int classes, int class_id, double temperature);
double cam_cross_entropy(const float *logits, int classes, int class_id, double temperature);

#endif
