/* test_box.c - boxes drawn by hand, and many random maps against a flood fill with a queue. */
#include "cam/box.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 * 64, SCRATCH = 2 * MOST };

/* rows of '#' (1) and '.' (0) */
static cam_box box_of(const char *rows, int width, float threshold, int photo_width,
                      int photo_height) {
  static float map[MOST];
  static box_run scratch[SCRATCH];
  const int n = (int)strlen(rows);
  for (int i = 0; i < n; i++)
    map[i] = rows[i] == '#';
  return map_box(map, n / width, width, threshold, 0, photo_width, photo_height, scratch);
}

static void ck_box(cam_box box, int x, int y, int width, int height) {
  ck_assert_int_eq(box.x, x);
  ck_assert_int_eq(box.y, y);
  ck_assert_int_eq(box.width, width);
  ck_assert_int_eq(box.height, height);
}

START_TEST(takes_the_largest_component) {
  ck_box(box_of("##...."
                "......"
                "...##."
                "...#.."
                "......",
                6, 0.2f, 6, 5),
         3, 2, 2, 2);
  ck_box(box_of("#....#" /* corners touch: one component of six */
                ".#..#."
                "..##.."
                "......",
                6, 0.2f, 6, 4),
         0, 0, 6, 3);
  ck_box(box_of("#.#.#" /* a comb: five teeth that meet only at the bottom, against nothing else */
                "#.#.#"
                "#####",
                5, 0.2f, 5, 3),
         0, 0, 5, 3);
}
END_TEST

START_TEST(first_in_row_order_wins_a_tie) {
  ck_box(box_of("...##"
                "....."
                "##...",
                5, 0.2f, 5, 3),
         3, 0, 2, 1);
  ck_box(box_of("..#..#" /* the right one starts in the same row but later; both have three */
                "..#..#"
                ".#...#",
                6, 0.2f, 6, 3),
         1, 0, 2, 3);
  ck_box(box_of("....#" /* the one with the earlier pixel has its leftmost pixel later */
                "#..#."
                "#....",
                5, 0.2f, 5, 3),
         3, 0, 2, 2);
}
END_TEST

START_TEST(rounds_outwards_into_the_photo) {
  ck_box(box_of("...."
                ".#.."
                "....",
                4, 0.2f, 10, 7),
         2, 2, 3, 3);                                /* x 2.5 to 5, y 2.33 to 4.67 */
  ck_box(box_of("...#", 4, 0.2f, 3, 1), 2, 0, 1, 1); /* x 2.25 to 3 */
  ck_box(box_of("#...", 4, 0.2f, 1, 1), 0, 0, 1, 1);
  ck_box(box_of("...#", 4, 0.2f, 1, 20000), 0, 0, 1, 20000);
  ck_box(box_of("####", 4, 0.2f, 451, 300), 0, 0, 451, 300);
}
END_TEST

START_TEST(flat_and_empty_give_the_whole_photo) {
  float map[4] = {0, 0, 0, 0}, one = 1;
  box_run scratch[16];
  ck_box(map_box(map, 2, 2, 0.2f, 1, 30, 20, scratch), 0, 0, 30, 20);
  ck_box(map_box(map, 2, 2, 0.2f, 0, 30, 20, scratch), 0, 0, 30, 20);
  ck_box(map_box(&one, 1, 1, 1, 0, 1, 20000, scratch), 0, 0, 1, 20000);
}
END_TEST

START_TEST(threshold_is_inclusive) {
  static const float map[5] = {0, 0.25f, 0.5f, 1, 0.49f};
  box_run scratch[16];
  ck_box(map_box(map, 1, 5, 0.5f, 0, 5, 1, scratch), 2, 0, 2, 1);
  ck_box(map_box(map, 1, 5, 1, 0, 5, 1, scratch), 3, 0, 1, 1);
  ck_box(map_box(map, 1, 5, 0, 0, 5, 1, scratch), 0, 0, 5, 1);
}
END_TEST

/* Largest component by flood fill, first pixel found first; its box in map pixels. */
static cam_box flood(const float *map, int height, int width, float threshold) {
  static int queue[MOST];
  static char seen[MOST];
  cam_box box = {0, 0, width, height};
  int best = 0;
  memset(seen, 0, sizeof seen);
  for (int start = 0; start < height * width; start++) {
    if (seen[start] || map[start] < threshold)
      continue;
    int first = 0, last = 0, left = width, right = 0, top = height, bottom = 0;
    seen[queue[last++] = start] = 1;
    while (first < last) {
      int i = queue[first++], x = i % width, y = i / width;
      left = x < left ? x : left, right = x > right ? x : right, top = y < top ? y : top,
      bottom = y > bottom ? y : bottom;
      for (int v = y - 1; v <= y + 1; v++)
        for (int u = x - 1; u <= x + 1; u++)
          if (u >= 0 && u < width && v >= 0 && v < height && !seen[v * width + u] &&
              map[v * width + u] >= threshold)
            seen[queue[last++] = v * width + u] = 1;
    }
    if (last > best)
      best = last, box = (cam_box){left, top, right - left + 1, bottom - top + 1};
  }
  return box;
}

START_TEST(agrees_with_a_flood_fill) {
  static float map[MOST];
  static box_run scratch[SCRATCH];
  unsigned seed = 1;
  for (int round = 0; round < 1500; round++) {
    const int height = 1 + round % 64, width = 1 + round * 7 % 64;
    for (int i = 0; i < height * width; i++) {
      seed = seed * 1664525u + 1013904223u;
      map[i] = (float)(seed >> 8) * 0x1p-24f;
    }
    const float threshold = (float)(round % 19) / 19;
    cam_box expected = flood(map, height, width, threshold),
            box = map_box(map, height, width, threshold, 0, width, height, scratch);
    ck_box(box, expected.x, expected.y, expected.width, expected.height);
  }
}
END_TEST

/* As many runs as there can be, in as much memory as map_box_runs says: nothing beyond it is
 * written, in maps that end where they end, as a sanitizer sees. */
START_TEST(room_for_the_most_runs) {
  enum { SIDES = 70, GUARD = 64 };
  for (int height = 1; height <= SIDES; height += 3)
    for (int width = 1; width <= SIDES; width++) {
      const size_t n = (size_t)(height * width), room = map_box_runs(height, width);
      float *map = malloc(n * sizeof *map);
      uint8_t *scratch = malloc(room * sizeof(box_run) + GUARD);
      memset(scratch, 0xa5, room * sizeof(box_run) + GUARD);
      for (size_t i = 0; i < n; i++)
        map[i] = i % (size_t)width % 2 == 0;
      ck_box(map_box(map, height, width, 0.5f, 0, width, height, (box_run *)scratch), 0, 0, 1,
             height);
      for (int i = 0; i < GUARD; i++)
        ck_assert_msg(scratch[room * sizeof(box_run) + (size_t)i] == 0xa5, "%d x %d", width,
                      height);
      free(map);
      free(scratch);
    }
}
END_TEST

/* A spiral visits every level of indirection: a recursive fill would need a frame per pixel. */
START_TEST(spiral) {
  enum { SIDE = 1001 };
  float *map = calloc(SIDE * SIDE, sizeof *map);
  box_run *scratch = malloc(map_box_runs(SIDE, SIDE) * sizeof *scratch);
  int x = 0, y = 0, dx = 1, dy = 0;
  map[0] = 1;
  for (int length = SIDE - 1; length > 0; length -= 2)
    for (int side = 0; side < 4; side++) {
      for (int i = 0; i < length - (side == 3) * 2 + (side == 0 && length < SIDE - 1) * 2; i++)
        x += dx, y += dy, map[y * SIDE + x] = 1;
      int turn = dx;
      dx = -dy, dy = turn;
    }
  cam_box box = map_box(map, SIDE, SIDE, 0.5f, 0, SIDE, SIDE, scratch);
  ck_box(box, 0, 0, SIDE, SIDE);
  free(map);
  free(scratch);
}
END_TEST

Suite *box_suite(void);
Suite *box_suite(void) {
  Suite *suite = suite_create("box");
  TCase *tcase = tcase_create("box");
  tcase_set_tags(tcase, "alone");
  tcase_add_test(tcase, takes_the_largest_component);
  tcase_add_test(tcase, first_in_row_order_wins_a_tie);
  tcase_add_test(tcase, rounds_outwards_into_the_photo);
  tcase_add_test(tcase, flat_and_empty_give_the_whole_photo);
  tcase_add_test(tcase, threshold_is_inclusive);
  tcase_add_test(tcase, agrees_with_a_flood_fill);
  tcase_add_test(tcase, room_for_the_most_runs);
  tcase_add_test(tcase, spiral);
  suite_add_tcase(suite, tcase);
  return suite;
}
