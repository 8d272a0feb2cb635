/* box.c - a scaled class map -> the bounding box of its largest hot region (Zhou et al., CVPR 2016, section 3.2).
 * Flow: class map -> [box].   Thread: worker; touches only its arguments.
 * Components by union-find in the scratch alone, in two passes without recursion: first each hot pixel holds the index of an earlier pixel
 * of its component, and the first one (the root) its own; then each holds its root's, and the root minus the component's size. */
#include "box.h"
#include <limits.h>

enum { COLD = INT_MIN }; /* below the threshold; no size is that large */

static int root_of(int *nodes, int i) {
  while (nodes[i] != i) i = nodes[i] = nodes[nodes[i]]; /* halving the path on the way */
  return i;
}

/* Joins two components and returns their root: the earlier one, the first pixel in row order. */
static int join(int *nodes, int a, int b) {
  a = root_of(nodes, a);
  b = root_of(nodes, b);
  return a < b ? (nodes[b] = a) : (nodes[a] = b);
}

/* The decision tree of Wu, Otoo and Suzuki, "Optimizing two-pass connected-component labeling algorithms", 2009: of the four neighbours
 * seen already, those beside each other are in one component already, so only up-right can bring a second one. */
static void link_pixels(const float *map, int height, int width, float threshold, int *nodes) {
  for (int y = 0, i = 0; y < height; y++)
    for (int x = 0; x < width; x++, i++) {
      nodes[i] = COLD;
      if (!(map[i] >= threshold)) continue;
      const int up = y ? nodes[i - width] : COLD;
      if (up != COLD) {
        nodes[i] = up;
        continue;
      }
      const int left = x ? nodes[i - 1] : COLD, up_left = x && y ? nodes[i - width - 1] : COLD;
      const int up_right = y && x + 1 < width ? nodes[i - width + 1] : COLD, one = left != COLD ? left : up_left;
      nodes[i] = up_right == COLD ? (one == COLD ? i : one) : one == COLD ? up_right : join(nodes, one, up_right);
    }
}

/* Links go to earlier pixels only, so in row order each finds its link resolved. Returns the root of the largest component, -1 if none. */
static int count_pixels(int *nodes, int n) {
  int best = -1;
  for (int i = 0; i < n;) {
    if (nodes[i] == COLD) {
      i++;
      continue;
    }
    const int start = i, link = nodes[i], root = link == i || nodes[link] < 0 ? link : nodes[link];
    if (link == i) nodes[i++] = 0;
    for (; i < n && nodes[i] == link; i++) nodes[i] = root; /* neighbours mostly have the same link: one sum for the run */
    nodes[root] -= i - start;
    if (best < 0 || nodes[root] < nodes[best] || (nodes[root] == nodes[best] && root < best)) best = root;
  }
  return best;
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
  link_pixels(map, height, width, threshold, scratch);
  const int best = count_pixels(scratch, height * width);
  if (best < 0) return box; /* nothing reaches the threshold */
  int left = width, right = 0, top = height, bottom = 0;
  for (int y = 0, i = 0; y < height; y++)
    for (int x = 0; x < width; x++, i++) {
      if (scratch[i] != best && i != best) continue;
      left = smaller(left, x), right = larger(right, x);
      top = smaller(top, y), bottom = larger(bottom, y);
    }
  to_photo(left, right, width, photo_width, &box.x, &box.width);
  to_photo(top, bottom, height, photo_height, &box.y, &box.height);
  return box;
}
