/* averages.h - what the channels of a plane are on average, as photos showed it. What a convolution
 * is off on average when its weights are rounded follows from it, and the bias takes it back (Nagel
 * et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019). In
 * a file of ranges a row is NODE: [level, ...], a level a channel, each 0 to 255: so many 255ths of
 * the way from the node's least to its most. Flow: photos, or a row -> [averages] -> ranges. One
 * thread at a time. */
#ifndef AVERAGES_H
#define AVERAGES_H
#include "network/graph.h"

typedef struct averages {
  int channels; /* 0: nobody asks for them */
  double *sums; /* [channels], over cells */
  int64_t cells;
  uint8_t *levels; /* [channels] */
  bool known;      /* the levels are there */
} averages;

/* Of each node before the head, room for those that a convolution or the head reads; NULL: no
 * memory. For averages_free. */
averages *averages_create(const cam_graph *graph);
void averages_free(averages *a, int nodes); /* NULL is allowed */

/* n cells of a photo, `stride` values apart and `channels` each. */
void averages_add(averages *a, const float *cells, int n, int channels, int stride);
/* The photos are over: sums become levels between the node's ends. */
void averages_settle(averages *a, const float ends[2]);
/* Of a channel whose level is known. */
double averages_of(const averages *a, const float ends[2], int channel);

/* A row, of a file called path. CAM_E_MODEL naming file and node: not a level for each channel. */
cam_code averages_read(averages *a, const char *path, const json *row, cam_error *error);
void averages_print(const averages *a, json *row);

#endif
