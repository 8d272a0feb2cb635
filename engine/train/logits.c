/* logits.c - logits.h. */
#include "logits.h"
#include "cam_temperature.h"
#include <stddef.h>

double logits_accuracy(const float *logits, const int *labels, int n, int classes, double *loss) {
  int right = 0;
  *loss = 0;
  for (int i = 0; i < n; i++) {
    const float *row = logits + (size_t)i * (size_t)classes;
    int best = 0;
    for (int c = 1; c < classes; c++)
      if (row[c] > row[best])
        best = c;
    *loss += cam_cross_entropy(row, classes, labels[i], 1);
    right += best == labels[i];
  }
  *loss /= n;
  return (double)right / n;
}
