/* box.c - a scaled class map -> the bounding box of its largest hot region (Zhou et al., CVPR 2016, section 3.2).
 * Flow: class map -> [box].   Thread: worker; touches only its arguments.
 * Components by union-find in the scratch alone: a pixel of a component holds the index of an earlier one, its first pixel (the root)
 * holds minus the component's size. No recursion, so a spiral costs no stack. */
#include "box.h"
#include <limits.h>

enum { COLD = INT_MIN }; /* below the threshold; no size is that large */

static int root_of(int *nodes, int i) {
  while (nodes[i] >= 0) {
    int up = nodes[i];
    if (nodes[up] >= 0) nodes[i] = nodes[up]; /* halve the path on the way */
    i = up;
  }
  return i;
}

/* The earlier root wins: a root is the first pixel of its component in row order. */
static void join(int *nodes, int a, int b) {
  a = root_of(nodes, a);
  b = root_of(nodes, b);
  if (a == b) return;
  const int first = a < b ? a : b, other = a < b ? b : a;
  nodes[first] += nodes[other];
  nodes[other] = first;
}

static void find_components(const float *map, int height, int width, float threshold, int *nodes) {
  for (int y = 0, i = 0; y < height; y++)
    for (int x = 0; x < width; x++, i++) {
      nodes[i] = map[i] >= threshold ? -1 : COLD;
      if (nodes[i] == COLD) continue;
      if (x > 0 && nodes[i - 1] != COLD) join(nodes, i, i - 1);
      if (y == 0) continue;
      const int up = i - width;
      if (nodes[up] != COLD) join(nodes, i, up); /* the pixels beside it are its neighbours, joined already */
      else {
        if (x > 0 && nodes[up - 1] != COLD) join(nodes, i, up - 1);
        if (x + 1 < width && nodes[up + 1] != COLD) join(nodes, i, up + 1);
      }
    }
}

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

/* Pixels [first, last] of n, in a photo with `size` pixels there: start floor, end ceil. Exact in integers, so 0 <= start < end <= size. */
static void to_photo(int first, int last, int n, int size, int *start, int *length) {
  *start = (int)((int64_t)first * size / n);
  *length = (int)(((int64_t)(last + 1) * size + n - 1) / n) - *start;
}

cam_box map_box(const float *map, int height, int width, float threshold, int flat, int photo_width, int photo_height, int *scratch) {
  cam_box box = {0, 0, photo_width, photo_height};
  if (flat) return box;
  const int n = height * width;
  find_components(map, height, width, threshold, scratch);
  int best = -1;
  for (int i = 0; i < n; i++)
    if (scratch[i] < 0 && scratch[i] != COLD && (best < 0 || scratch[i] < scratch[best])) best = i;
  if (best < 0) return box; /* nothing reaches the threshold */
  int left = width, right = 0, top = height, bottom = 0;
  for (int y = 0, i = 0; y < height; y++)
    for (int x = 0; x < width; x++, i++) {
      if (scratch[i] == COLD || root_of(scratch, i) != best) continue;
      left = smaller(left, x), right = larger(right, x);
      top = smaller(top, y), bottom = larger(bottom, y);
    }
  to_photo(left, right, width, photo_width, &box.x, &box.width);
  to_photo(top, bottom, height, photo_height, &box.y, &box.height);
  return box;
}
