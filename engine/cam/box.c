/* box.c - a scaled class map -> the bounding box of its largest hot region (Zhou et al., CVPR 2016,
 * section 3.2). Flow: class map -> [box].   Thread: worker; touches only its arguments. Each row is
 * cut into runs of hot pixels; runs of neighbouring rows that touch are joined by union-find. The
 * earlier run becomes the root, so that a component's root is its first run in row order. Blobs
 * have few runs: what takes time is the comparison with the threshold, which is vectorised. */
#include "box.h"
#include <string.h>

/* From row[x] on: the next byte that is `value`, or width. */
static int next(const uint8_t *row, int x, int width, int value) {
  const uint8_t *found = x < width ? memchr(row + x, value, (size_t)(width - x)) : NULL;
  return found ? (int)(found - row) : width;
}

static int root_of(box_run *runs, int i) {
  while (runs[i].root != i)
    i = runs[i].root = runs[runs[i].root].root; /* halving the path on the way */
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
  for (int first = next(hot, 0, width, 1); first < width; end++) {
    const int past = next(hot, first, width, 0);
    runs[end] = (box_run){.y = y, .first = first, .past = past, .root = end};
    while (above < n && runs[above].past < first)
      above++;
    for (int i = above; i < n && runs[i].first <= past; i++)
      join(runs, i, end);
    first = next(hot, past, width, 1);
  }
  return end;
}

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

/* Pixels [first, last] of n, in a photo with `size` pixels there: start floor, end ceil. Exact in
 * integers, so 0 <= start < end <= size. */
static void to_photo(int first, int last, int n, int size, int *start, int *length) {
  *start = (int)((int64_t)first * size / n);
  *length = (int)(((int64_t)(last + 1) * size + n - 1) / n) - *start;
}

size_t map_box_runs(int height, int width) {
  return (size_t)height * (size_t)(width / 2 + 1) + (size_t)width / sizeof(box_run) + 1;
}

cam_box map_box(const float *map, int height, int width, float threshold, int flat, int photo_width,
                int photo_height, box_run *runs) {
  cam_box box = {0, 0, photo_width, photo_height};
  uint8_t *hot = (uint8_t *)(runs +
                             height * (width / 2 + 1)); /* one row of flags, after the runs */
  int n = 0, best = -1, left = width, right = 0, top = height, bottom = 0;
  if (flat)
    return box;
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
  for (int i = 0; i < n; i++)
    if (runs[i].root == i && (best < 0 || runs[i].pixels > runs[best].pixels))
      best = i;
  if (best < 0)
    return box; /* nothing reaches the threshold */
  for (int i = 0; i < n; i++) {
    if (root_of(runs, i) != best)
      continue;
    left = smaller(left, runs[i].first), right = larger(right, runs[i].past - 1);
    top = smaller(top, runs[i].y), bottom = larger(bottom, runs[i].y);
  }
  to_photo(left, right, width, photo_width, &box.x, &box.width);
  to_photo(top, bottom, height, photo_height, &box.y, &box.height);
  return box;
}
