/* test_metrics.c - the text of /metrics: names, labels, buckets that add up. */
#include "metrics.h"
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(struct metrics *metrics, const char *model) {
  static const char *const routes[] = {"/cam", "other"};
  metrics_facts facts = {routes, 2, 5, "1.2", "abc", "portable", model, "00ff"};
  size_t n;
  char *text = metrics_text(metrics, &facts, &n);
  ck_assert_ptr_nonnull(text);
  ck_assert_uint_eq(strlen(text), n);
  return text;
}
static bool has(const char *text, const char *line) {
  size_t n = strlen(line);
  for (const char *at = text; (at = strstr(at, line)); at++)
    if ((at == text || at[-1] == '\n') && at[n] == '\n') return true;
  return false;
}

START_TEST(counts_what_happened) {
  struct metrics *metrics = calloc(1, sizeof *metrics);
  metrics_count_request(metrics, 0, 200);
  metrics_count_request(metrics, 0, 200);
  metrics_count_request(metrics, 1, 404);
  metrics_count_request(metrics, 1, 299); /* not in the table: counted all the same */
  metrics_count_refused(metrics, REFUSED_TOO_SLOW);
  atomic_fetch_add(&metrics->request_bytes, 5000000000);
  metrics_observe(metrics, CAM_STAGE_FORWARD, 5);      /* exactly a bound: le */
  metrics_observe(metrics, CAM_STAGE_FORWARD, 5.001);
  metrics_observe(metrics, CAM_STAGE_FORWARD, 1e6);
  char *text = text_of(metrics, "m\"1\\\n");
  static const char *const lines[] = {
    "camserve_requests_total{route=\"/cam\",status=\"200\"} 2", "camserve_requests_total{route=\"other\",status=\"404\"} 1",
    "camserve_requests_total{route=\"other\",status=\"500\"} 1", "camserve_refused_total{reason=\"too_slow\"} 1",
    "camserve_refused_total{reason=\"queue_full\"} 0", "camserve_request_bytes_total 5000000000", "camserve_queue_jobs 5",
    "camserve_stage_seconds_bucket{stage=\"forward\",le=\"0.0025\"} 0", "camserve_stage_seconds_bucket{stage=\"forward\",le=\"0.005\"} 1",
    "camserve_stage_seconds_bucket{stage=\"forward\",le=\"0.01\"} 2", "camserve_stage_seconds_bucket{stage=\"forward\",le=\"60\"} 2",
    "camserve_stage_seconds_bucket{stage=\"forward\",le=\"+Inf\"} 3", "camserve_stage_seconds_count{stage=\"forward\"} 3",
    "camserve_stage_seconds_sum{stage=\"forward\"} 1000.010001000", "camserve_stage_seconds_count{stage=\"queue\"} 0",
    "camserve_build_info{version=\"1.2\",commit=\"abc\",isa=\"portable\"} 1", "camserve_model_info{name=\"m\\\"1\\\\\\n\",sha256=\"00ff\"} 1",
    "# TYPE camserve_stage_seconds histogram", "# TYPE camserve_requests_total counter",
  };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) ck_assert_msg(has(text, lines[i]), "%s\nnot in\n%s", lines[i], text);
  ck_assert_ptr_null(strstr(text, "status=\"400\""));
  ck_assert_ptr_nonnull(strstr(text, "\nprocess_resident_memory_bytes "));
  ck_assert(!has(text, "process_resident_memory_bytes 0"));
  ck_assert(!has(text, "process_open_fds 0"));
  free(text);
  free(metrics);
}
END_TEST

START_TEST(no_model_yet) {
  struct metrics *metrics = calloc(1, sizeof *metrics);
  char *text = text_of(metrics, NULL);
  ck_assert_ptr_null(strstr(text, "\ncamserve_model_info{"));
  free(text);
  free(metrics);
}
END_TEST

Suite *metrics_suite(void);
Suite *metrics_suite(void) {
  Suite *suite = suite_create("metrics");
  TCase *tcase = tcase_create("metrics");
  tcase_add_test(tcase, counts_what_happened);
  tcase_add_test(tcase, no_model_yet);
  suite_add_tcase(suite, tcase);
  return suite;
}
