/* test_metrics.c - the text of /metrics: names, labels, buckets that add up. */
#include "base/metrics.h"
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static char *text_of(struct metrics *metrics, const char *model) {
  static const char *const routes[] = {"/cam", "other"};
  static const char *const phases[] = {"starting", "ready"};
  const metrics_served served = {model, "00ff", "float32"};
  const metrics_facts facts = {.routes = routes,
                               .n_routes = 2,
                               .phases = phases,
                               .n_phases = 2,
                               .phase = 1,
                               .workers = 4,
                               .queue_jobs = 5,
                               .queue_capacity = 64,
                               .log_lines_lost = 6,
                               .version = "1.2",
                               .commit = "abc",
                               .isa = "portable",
                               .models = &served,
                               .n_models = model != NULL,
                               .started = 1234.5};
  size_t n;
  char *text = metrics_text(metrics, &facts, &n);
  ck_assert_ptr_nonnull(text);
  ck_assert_uint_eq(strlen(text), n);
  return text;
}
static bool has(const char *text, const char *line) {
  size_t n = strlen(line);
  for (const char *at = text; (at = strstr(at, line)); at++)
    if ((at == text || at[-1] == '\n') && at[n] == '\n')
      return true;
  return false;
}

START_TEST(counts_what_happened) {
  struct metrics *metrics = calloc(1, sizeof *metrics);
  struct metrics_model *one = metrics_of_model(metrics, "one");
  for (int i = 0; i < 9; i++)
    metrics_count_received(metrics);
  metrics_count_end(metrics, one, 0, 200, END_ANSWERED);
  metrics_count_end(metrics, one, 0, 200, ABANDONED_SENDING);
  metrics_count_end(metrics, NULL, 1, 404, END_ANSWERED);
  metrics_count_end(metrics, NULL, 1, 299,
                    END_ANSWERED); /* not in the table: counted all the same */
  metrics_count_end(metrics, NULL, 0, 0, REFUSED_TOO_SLOW);
  atomic_fetch_add(&metrics->request_bytes, 5000000000);
  metrics_observe(one, CAM_STAGE_FORWARD, 5); /* exactly a bound: le */
  metrics_observe(one, CAM_STAGE_FORWARD, 5.001);
  metrics_observe(one, CAM_STAGE_FORWARD, 1e6);
  char *text = text_of(metrics, "m\"1\\\n");
  static const char *const lines[] = {
      "camserve_requests_total{model=\"one\",route=\"/cam\",status=\"200\"} 2",
      "camserve_workers 4",
      "camserve_queue_capacity 64",
      "camserve_phase{phase=\"starting\"} 0",
      "camserve_phase{phase=\"ready\"} 1",
      "camserve_log_lines_lost_total 6",
      "camserve_requests_total{route=\"other\",status=\"404\"} 1",
      "camserve_requests_total{route=\"other\",status=\"500\"} 1",
      "camserve_requests_total{route=\"/cam\",status=\"0\"} 1",
      "camserve_requests_received_total 9",
      "camserve_requests_answered_total 3",
      "camserve_requests_open 4",
      "camserve_refused_total{reason=\"too_slow\"} 1",
      "camserve_abandoned_total{reason=\"sending\"} 1",
      "camserve_refused_total{reason=\"queue_full\"} 0",
      "camserve_abandoned_total{reason=\"queued\"} 0",
      "camserve_request_bytes_total 5000000000",
      "camserve_queue_jobs 5",
      "camserve_stage_seconds_bucket{model=\"one\",stage=\"forward\",le=\"0.0025\"} 0",
      "camserve_stage_seconds_bucket{model=\"one\",stage=\"forward\",le=\"0.005\"} 1",
      "camserve_stage_seconds_bucket{model=\"one\",stage=\"forward\",le=\"0.01\"} 2",
      "camserve_stage_seconds_bucket{model=\"one\",stage=\"forward\",le=\"60\"} 2",
      "camserve_stage_seconds_bucket{model=\"one\",stage=\"forward\",le=\"+Inf\"} 3",
      "camserve_stage_seconds_count{model=\"one\",stage=\"forward\"} 3",
      "camserve_stage_seconds_sum{model=\"one\",stage=\"forward\"} 1000.010001000",
      "camserve_stage_seconds_count{model=\"one\",stage=\"queue\"} 0",
      "camserve_build_info{version=\"1.2\",commit=\"abc\",isa=\"portable\"} 1",
      "camserve_model_info{name=\"m\\\"1\\\\\\n\",sha256=\"00ff\",precision=\"float32\"} 1",
      "# TYPE camserve_stage_seconds histogram",
      "# TYPE camserve_requests_total counter",
  };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    ck_assert_msg(has(text, lines[i]), "%s\nnot in\n%s", lines[i], text);
  ck_assert_ptr_null(strstr(text, "status=\"400\""));
  ck_assert_ptr_nonnull(strstr(text, "\nprocess_resident_memory_bytes "));
  ck_assert(!has(text, "process_resident_memory_bytes 0"));
  ck_assert(!has(text, "process_open_fds 0"));
  ck_assert(!has(text, "process_max_fds 0"));
  ck_assert(has(text, "process_start_time_seconds 1234.500"));
  free(text);
  metrics_free(metrics);
  free(metrics);
}
END_TEST

/* A reload may bring ever new names; time series are as many as there is room for. */
START_TEST(models_are_bounded) {
  struct metrics *metrics = calloc(1, sizeof *metrics);
  struct metrics_model *first = metrics_of_model(metrics, "m0");
  char name[METRICS_NAME_MAX + 1];
  for (int i = 1; i < METRICS_MODELS; i++) {
    snprintf(name, sizeof name, "m%d", i);
    ck_assert_str_eq(metrics_of_model(metrics, name)->name, name);
  }
  ck_assert_ptr_eq(metrics_of_model(metrics, "m0"), first);
  ck_assert_ptr_eq(metrics_of_model(metrics, "one more"), &metrics->none);
  metrics_count_end(metrics, metrics_of_model(metrics, "one more"), 0, 200, END_ANSWERED);
  char *text = text_of(metrics, NULL);
  ck_assert(has(text, "camserve_requests_total{route=\"/cam\",status=\"200\"} 1"));
  ck_assert(has(text, "camserve_stage_seconds_count{model=\"m63\",stage=\"total\"} 0"));
  free(text);
  metrics_free(metrics);
  free(metrics);
}
END_TEST

/* Which errors are refusals; none ends in nothing. */
START_TEST(every_error_is_an_end) {
  static const struct {
    cam_code code;
    metrics_end end;
  } refusals[] = {
      {CAM_E_ROOM, REFUSED_MEMORY},         {CAM_E_BUSY, REFUSED_QUEUE_FULL},
      {CAM_E_TOO_LARGE, REFUSED_TOO_LARGE}, {CAM_E_DEADLINE, REFUSED_DEADLINE},
      {CAM_E_NOT_READY, REFUSED_NOT_READY}, {CAM_E_HEADERS, REFUSED_TOO_LARGE},
      {CAM_E_REPLY, REFUSED_REPLY},         {CAM_E_UNAUTHORIZED, REFUSED_UNAUTHORIZED},
      {CAM_E_NO_MEMORY, REFUSED_NO_MEMORY},
  };
  for (int code = 0; code < CAM_CODES; code++) {
    metrics_end wanted = END_ANSWERED;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
      if ((int)refusals[i].code == code)
        wanted = refusals[i].end;
    ck_assert_int_eq(metrics_end_of((cam_code)code, true), wanted);
  }
  ck_assert_int_eq(metrics_end_of(CAM_E_NOT_READY, false),
                   END_ANSWERED); /* a probe of /readyz got what it asked */
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

/* Without a descriptor to spare, /proc cannot be read, as where there is none. */
START_TEST(what_is_not_known_is_left_out) {
  struct metrics *metrics = calloc(1, sizeof *metrics);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  const struct rlimit none = {0, files.rlim_max};
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
  char *text = text_of(metrics, NULL);
  setrlimit(RLIMIT_NOFILE, &files);
  ck_assert_ptr_null(strstr(text, "process_resident_memory_bytes"));
  ck_assert_ptr_null(strstr(text, "process_virtual_memory_bytes"));
  ck_assert_ptr_null(strstr(text, "process_open_fds"));
  ck_assert_ptr_nonnull(strstr(text, "\nprocess_max_fds 0\n"));
  ck_assert_ptr_nonnull(strstr(text, "\nprocess_cpu_seconds_total "));
  free(text);
  free(metrics);
}
END_TEST

Suite *metrics_suite(void);
Suite *metrics_suite(void) {
  Suite *suite = suite_create("metrics");
  TCase *tcase = tcase_create("metrics");
  tcase_add_test(tcase, counts_what_happened);
  tcase_add_test(tcase, models_are_bounded);
  tcase_add_test(tcase, every_error_is_an_end);
  tcase_add_test(tcase, no_model_yet);
  tcase_add_test(tcase, what_is_not_known_is_left_out);
  suite_add_tcase(suite, tcase);
  return suite;
}
