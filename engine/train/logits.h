/* logits.h - how right logits are. Any thread. */
#ifndef LOGITS_H
#define LOGITS_H

/* Share of rows whose largest logit is their label's (the first of equal ones), and the mean
 * cross-entropy of softmax: logits[n][classes], labels[n], n above 0. */
double logits_accuracy(const float *logits, const int *labels, int n, int classes, double *loss);

#endif
