/* test_exchange.c - what a request is beside its job: its place in the line, its deadlines, and how
 * it has ended. */
#include "cam_clock.h"
#include "http/ending.h"
#include "http/routes.h"
#include "work/app.h"
#include <check.h>

static struct app app;
static config settings;
static const struct access nobody;

static void open_app(void) {
  settings = (config){.queue = 1,
                      .request_deadline_ms = 10000,
                      .upload_bytes_per_s = 100,
                      .upload_grace_ms = 2000,
                      .download_bytes_per_s = 1000};
  cam_error error;
  ck_assert_int_eq(app_open(&app, &settings, &error), CAM_OK);
}
static void close_app(void) {
  ck_assert_int_eq(app.open_jobs, 0);
  app_close(&app);
}

START_TEST(line) {
  struct exchange *made[4];
  for (int i = 0; i < 4; i++) {
    made[i] = exchange_new(&app, &nobody);
    exchange_leave_line(made[i]); /* it is not in it */
    exchange_enter_line(made[i]);
    ck_assert_ptr_eq(exchange_first_in_line(), made[i]);
  }
  exchange_leave_line(made[2]);
  exchange_leave_line(made[2]);
  exchange_leave_line(made[0]);
  ck_assert_ptr_eq(exchange_first_in_line(), made[3]);
  ck_assert_ptr_eq(made[3]->after, made[1]);
  ck_assert_ptr_null(made[1]->after);
  exchange_leave_line(made[3]);
  ck_assert_ptr_eq(exchange_first_in_line(), made[1]);
  exchange_leave_line(made[1]);
  ck_assert_ptr_null(exchange_first_in_line());
  for (int i = 0; i < 4; i++)
    exchange_free(made[i]);
}
END_TEST

START_TEST(deadlines) {
  struct exchange *made = exchange_new(&app, &nobody);
  const double now = clock_seconds();
  made->body_began = now;
  ck_assert_double_eq_tol(exchange_upload_due(made), now + 2, 1e-6);
  made->bytes_in = 300;
  ck_assert_double_eq_tol(exchange_upload_due(made), now + 5, 1e-6);
  made->bytes_in = 100000; /* however quick: the request has a deadline */
  ck_assert_double_eq(exchange_upload_due(made), made->job.deadline);
  settings.upload_bytes_per_s = 0;
  made->bytes_in = 0;
  ck_assert_double_eq(exchange_upload_due(made), made->job.deadline);
  made->job.response.n = 5000;
  const double due = exchange_reader_due(made);
  ck_assert(due >= now + 15 && due <= clock_seconds() + 15);
  exchange_free(made);
}
END_TEST

START_TEST(endings) {
  static const ending completed = {.completed = true}, cut = {0}, late = {.timed_out = true},
                      stopped = {.stopped = true}, page = {.library_status = 400},
                      large = {.library_status = 431};
  const struct route photos = {.takes_body = true}, probes = {0};
  struct exchange made = {.route = &photos};
  struct job *job = &made.job;
  ck_assert_int_eq(ending_of(NULL, &completed), REFUSED_NO_MEMORY);
  ck_assert_int_eq(ending_of(&made, &cut), ABANDONED_RECEIVING);
  ck_assert_int_eq(ending_of(&made, &late), REFUSED_TOO_SLOW);
  ck_assert_int_eq(ending_of(&made, &stopped), REFUSED_NOT_READY);
  ck_assert_int_eq(ending_of(&made, &page), REFUSED_MALFORMED);
  ck_assert_int_eq(ending_of(&made, &large), REFUSED_TOO_LARGE);
  job->hung_up = true;
  ck_assert_int_eq(ending_of(&made, &cut), ABANDONED_QUEUED);
  job->response.status = 200;
  ck_assert_int_eq(ending_of(&made, &cut), ABANDONED_SENDING);
  ck_assert_int_eq(ending_of(&made, &completed), END_ANSWERED);
  job->error.code = CAM_E_BUSY;
  ck_assert_int_eq(ending_of(&made, &completed), REFUSED_QUEUE_FULL);
  job->error.code = CAM_E_ROOM;
  ck_assert_int_eq(ending_of(&made, &completed), REFUSED_MEMORY);
  job->error.code = CAM_E_NOT_READY;
  ck_assert_int_eq(ending_of(&made, &completed), REFUSED_NOT_READY);
  made.route = &probes;
  ck_assert_int_eq(ending_of(&made, &completed), END_ANSWERED);
  made.end = REFUSED_TOO_SLOW;
  ck_assert_int_eq(ending_of(&made, &completed), REFUSED_TOO_SLOW);
  ck_assert_ptr_null(ending_words(END_ANSWERED));
  ck_assert_ptr_nonnull(ending_words(ABANDONED_SENDING));
}
END_TEST

START_TEST(probes) {
  static const char *const are[] = {"/healthz", "/readyz", "/readyz?x=1", "http://a/healthz"};
  static const char *const are_not[] = {"/",         "/version", "/healthzz", "/health",
                                        "/healthz/", "",         "/%68ealthz"};
  for (size_t i = 0; i < sizeof are / sizeof *are; i++)
    ck_assert_msg(route_is_probe(are[i]), "%s", are[i]);
  for (size_t i = 0; i < sizeof are_not / sizeof *are_not; i++)
    ck_assert_msg(!route_is_probe(are_not[i]), "%s", are_not[i]);
}
END_TEST

Suite *exchange_suite(void);
Suite *exchange_suite(void) {
  Suite *suite = suite_create("exchange");
  TCase *tcase = tcase_create("exchange");
  tcase_add_checked_fixture(tcase, open_app, close_app);
  tcase_add_test(tcase, line);
  tcase_add_test(tcase, deadlines);
  tcase_add_test(tcase, endings);
  tcase_add_test(tcase, probes);
  suite_add_tcase(suite, tcase);
  return suite;
}
