/* tail.h - from the last plane to logits and class maps, by what the head is. Flow:
 * layers -> [tail] -> cam.   Thread: worker, with its team.
 *
 *   gap, fc     sums of feature maps weighted by a class's row of fc (CAM; Zhou et al., CVPR 2016,
 *               section 2)
 *   gap         the plane has a channel a class, which is its map
 *   any other   sums of the plane's channels weighted by the gradient of the class's logit, cell by
 *               cell (HiResCAM; Draelos and Carin, arXiv 2011.08891): behind a gap it is the same
 * in all cells, that of the mean over their number; the chain gives it (chain.h)
 *
 * The first is linear, so a convolution without activation before the pooling (vgg16-cam's
 * CAM_conv) is never computed as a plane: the mean of its output is one weighted sum of its input,
 * and a class map is its input convolved with one kernel, fc's row times the filters. */
#ifndef TAIL_H
#define TAIL_H
#include "base/team.h"
#include "chain.h"
#include "network.h"

typedef struct tail {
  const network *net;
  cam_team *team;
  const float *plane; /* [height,width,stride]: the features, or what goes into net->linear; of a
                         head in integers levels, one a byte */
  int height, width, stride;
  int map_height, map_width; /* cells of the class maps */
  int top, left;             /* padding of net->linear */
  chain *chain;              /* behind the gap or flatten of a head of the third kind; else NULL */
  float *mean;    /* [features]: what the gap leaves, where there is no chain; in integers int32 */
  float *sums;    /* [taps,stride] of net->linear; of a head in integers 4 bytes a channel */
  float *scratch; /* of thread 0; the next thread's is scratch_step floats below */
  size_t scratch_step;
} tail;

/* Floats of mean, of sums, and of one thread's scratch for a plane of that many cells. */
size_t tail_mean_floats(const network *net);
size_t tail_sums_floats(const network *net);
size_t tail_scratch_floats(const network *net, int height, int width);

void tail_logits(const tail *t, float *logits); /* logits[classes] */
void tail_class_maps(const tail *t, int n, const int *class_ids,
                     float *const *maps); /* maps[i][map_height,map_width] */

/* The same of a head in integers (graph->int8_head): tail_int8.c. */
void tail_int8_logits(const tail *t, float *logits);
void tail_int8_maps(const tail *t, int n, const int *class_ids, float *const *maps);

#endif
