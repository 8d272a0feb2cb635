/* test_suggest.c - distances by hand, and what is near enough to be meant. */
#include "cli/suggest.h"
#include <check.h>
#include <string.h>

static const struct {
  const char *a, *b;
  int distance;
} distances[] = {
    {"", "", 0},           {"", "abc", 3},
    {"abc", "", 3},        {"kitten", "sitting", 3},
    {"serve", "sevre", 1}, {"explian", "explain", 1},
    {"ca", "abc", 3},      {"--topk", "--top-k", 1},
};
START_TEST(distance) {
  ck_assert_int_eq(suggest_distance(distances[_i].a, distances[_i].b), distances[_i].distance);
  ck_assert_int_eq(suggest_distance(distances[_i].b, distances[_i].a), distances[_i].distance);
}
END_TEST

static const struct {
  const char *typed, *said;
} words[] = {
    {"--topk", "did you mean --top-k? "},
    {"--top_k", "did you mean --top-k? "},
    {"--colourmap", "did you mean --colormap? "},
    {"--max-body", "did you mean --max-body-bytes? "},
    {"--josn", "did you mean --json? "},
    {"serv", "did you mean serve? "},
    {"--", ""},
    {"-x", ""},
    {"s", ""},
    {"", ""},
    {"--nonsense", ""},
    {"--max-body-bytes-of-everything-that-was-ever-sent-to-it", ""}, /* longer than any word */
};
START_TEST(meant) {
  static const char *const all[] = {"--top-k",          "--json", "--jsonl", "--colormap",
                                    "--max-body-bytes", "serve",  "explain"};
  suggestion it;
  char said[SUGGEST_MAX + 20];
  suggest_begin(&it, words[_i].typed, strlen(words[_i].typed));
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
    suggest_try(&it, all[i]);
  ck_assert_str_eq(suggest_words(&it, said), words[_i].said);
}
END_TEST

Suite *suggest_suite(void);
Suite *suggest_suite(void) {
  Suite *suite = suite_create("suggest");
  TCase *tcase = tcase_create("suggest");
  tcase_add_loop_test(tcase, distance, 0, (int)(sizeof distances / sizeof *distances));
  tcase_add_loop_test(tcase, meant, 0, (int)(sizeof words / sizeof *words));
  suite_add_tcase(suite, tcase);
  return suite;
}
