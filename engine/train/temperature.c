/* temperature.c - cam_temperature.h. In b = 1 / temperature the mean cross entropy is convex: its
 * slope is the mean over photos of E[logit] - logit of the class, the expectation under
 * softmax(b * logits), and the slope's slope the variance. Newton's steps find where the slope is
 * 0; a step that leaves what is known to hold it is a halving instead. */
#include "cam_minmax.h"
#include "cam_temperature.h"
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

enum { STEPS = 60 };

static double largest_logit(const float *logits, int classes) {
  float most = logits[0];
  for (int c = 1; c < classes; c++)
    most = max_float(most, logits[c]);
  return (double)most;
}

double cam_cross_entropy(const float *logits, int classes, int class_id, double temperature) {
  const double most = largest_logit(logits, classes);
  double sum = 0;
  for (int c = 0; c < classes; c++)
    sum += exp(((double)logits[c] - most) / temperature);
  return log(sum) - ((double)logits[class_id] - most) / temperature;
}

double cam_tempered(const float *logits, int classes, int class_id, double temperature) {
  return exp(-cam_cross_entropy(logits, classes, class_id, temperature));
}

/* The cross entropy's first two derivatives in b, summed over the photos. */
static void add_slopes(const cam_logits *all, double b, double *slope, double *bend) {
  *slope = *bend = 0;
  for (int i = 0; i < all->n; i++) {
    const float *logits = all->values + (size_t)i * (size_t)all->stride * (size_t)all->classes;
    const double most = largest_logit(logits, all->classes);
    double sum = 0, first = 0, second = 0;
    for (int c = 0; c < all->classes; c++) {
      const double x = (double)logits[c] - most, share = exp(b * x);
      sum += share;
      first += share * x;
      second += share * x * x;
    }
    const double mean = first / sum;
    *slope += mean - ((double)logits[all->labels[(size_t)i * (size_t)all->stride]] - most);
    *bend += second / sum - mean * mean;
  }
}

static bool has_wrong_one(const cam_logits *all) {
  for (int i = 0; i < all->n; i++) {
    const size_t row = (size_t)i * (size_t)all->stride;
    const float *logits = all->values + row * (size_t)all->classes;
    if ((double)logits[all->labels[row]] < largest_logit(logits, all->classes))
      return true;
  }
  return false;
}

double cam_fit_temperature(const cam_logits *logits) {
  double low = 1 / CAM_TEMPERATURE_MOST, high = 1 / CAM_TEMPERATURE_LEAST, b = 1;
  if (!has_wrong_one(logits))
    return 0;
  for (int step = 0; step < STEPS && high - low > 1e-9 * low; step++) {
    double slope, bend;
    add_slopes(logits, b, &slope, &bend);
    if (slope > 0)
      high = b;
    else
      low = b;
    const double next = b - slope / bend;
    if (fabs(next - b) <= 1e-9 * b)
      break;
    b = 0.5 * (low + high);
    if (next > low && next < high)
      b = next;
  }
  return 1 / b;
}
