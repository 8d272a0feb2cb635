/* box.c - a scaled class map -> the bounding box of its largest hot region (Zhou et al., CVPR 2016,
 * section 3.2). Flow: class map -> [box].   Thread: worker; touches only its arguments. Each row is
 * cut into runs of hot pixels; runs of neighbouring rows that touch are joined by union-find. The
 * earlier run becomes the root, so that a component's root is its first run in row order. Blobs
 * have few runs: what takes time is the comparison with the threshold, which is vectorised. */
#include "box.h"
#include "cam_minmax.h"
#include <string.h>

/* From row[x] on: the next byte that is `value`, or width. */
static int next_of(const uint8_t *row, int x, int width, int value) {
  if (x >= width)
    return width;
  const uint8_t *found = memchr(row + x, value, (size_t)(width - x));
  if (!found)
    return width;
  return (int)(found - row);
}

static int root_of(box_run *runs, int i) {
  while (runs[i].root != i) {
    runs[i].root = runs[runs[i].root].root; /* halving the path on the way */
    i = runs[i].root;
  }
  return i;
}

static void join(box_run *runs, int a, int b) {
  a = root_of(runs, a);
  b = root_of(runs, b);
  if (a < b)
    runs[b].root = a;
  else
    runs[a].root = b;
}

/* The runs of row y, as runs[n..]; joined with those of the row before, runs[before..n-1], where
 * they touch, be it by a corner. Returns the new n. */
static int add_row(const float *map, int y, int width, float threshold, uint8_t *hot, box_run *runs,
                   int before, int n) {
  int above = before, end = n;
  for (int x = 0; x < width; x++)
    hot[x] = map[x] >= threshold;
  for (int first = next_of(hot, 0, width, 1); first < width; end++) {
    const int past = next_of(hot, first, width, 0);
    runs[end] = (box_run){.y = y, .first = first, .past = past, .root = end};
    while (above < n && runs[above].past < first)
      above++;
    for (int i = above; i < n && runs[i].first <= past; i++)
      join(runs, i, end);
    first = next_of(hot, past, width, 1);
  }
  return end;
}

/* Pixels [first, last] of n, in a photo with `size` pixels there: start floor, end ceil. Exact in
 * integers, so 0 <= start < end <= size. */
static void to_photo(int first, int last, int n, int size, int *start, int *length) {
  *start = (int)((int64_t)first * size / n);
  *length = (int)(((int64_t)(last + 1) * size + n - 1) / n) - *start;
}

size_t map_box_runs(int height, int width) {
  return (size_t)height * (size_t)(width / 2 + 1) + (size_t)width / sizeof(box_run) + 1;
}

/* The runs of the whole map, each component with a root that counts its pixels; how many runs.
 * hot: scratch, [width]. */
static int find_components(const float *map, int height, int width, float threshold, uint8_t *hot,
                           box_run *runs) {
  int n = 0;
  for (int y = 0, before = 0; y < height; y++) {
    const int end = add_row(map + (size_t)y * (size_t)width, y, width, threshold, hot, runs, before,
                            n);
    before = n;
    n = end;
  }
  for (int i = 0; i < n; i++) { /* a root comes before the rest of its component */
    const int root = root_of(runs, i);
    runs[i].pixels = 0;
    runs[root].pixels += runs[i].past - runs[i].first;
  }
  return n;
}

/* The root of the largest component, of equal ones the first; -1: there is none. */
static int largest_of(const box_run *runs, int n) {
  int best = -1;
  for (int i = 0; i < n; i++)
    if (runs[i].root == i && (best < 0 || runs[i].pixels > runs[best].pixels))
      best = i;
  return best;
}

cam_box map_box(const float *map, int height, int width, float threshold, int flat, int photo_width,
                int photo_height, box_run *runs) {
  cam_box box = {0, 0, photo_width, photo_height};
  if (flat)
    return box;
  uint8_t *hot = (uint8_t *)(runs + height * (width / 2 + 1)); /* one row, after the runs */
  const int n = find_components(map, height, width, threshold, hot, runs),
            best = largest_of(runs, n);
  if (best < 0)
    return box; /* nothing reaches the threshold */
  int left = width, right = 0, top = height, bottom = 0;
  for (int i = 0; i < n; i++) {
    if (root_of(runs, i) != best)
      continue;
    left = min_int(left, runs[i].first);
    right = max_int(right, runs[i].past - 1);
    top = min_int(top, runs[i].y);
    bottom = max_int(bottom, runs[i].y);
  }
  to_photo(left, right, width, photo_width, &box.x, &box.width);
  to_photo(top, bottom, height, photo_height, &box.y, &box.height);
  return box;
}
