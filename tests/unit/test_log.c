/* test_log.c - the line of a request: everything in it, at its longest, and that nothing a caller
 * sends breaks it. */
#include "base/log.h"
#include "cam_clock.h"
#include "cam_json.h"
#include "http/request_log.h"
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char written[8192];

/* Calls log_request with standard error turned into written. */
static void log_it(const struct exchange *exchange, const char *end, bool as_json) {
  fflush(stderr);
  int before = dup(STDERR_FILENO), file = memfd_create("log", MFD_CLOEXEC);
  ck_assert_int_ge(before, 0);
  ck_assert_int_ge(dup2(file, STDERR_FILENO), 0);
  log_use_json(as_json);
  log_request(exchange, end);
  log_use_json(false);
  dup2(before, STDERR_FILENO);
  ssize_t n = pread(file, written, sizeof written - 1, 0);
  ck_assert_int_gt(n, 0);
  written[n] = 0;
  close(before);
  close(file);
}

static void fill(char *out, size_t room, const char *with) {
  for (size_t i = 0; i < room - 1; i++)
    out[i] = with[i % strlen(with)];
  out[room - 1] = 0;
}

/* An exchange whose every text is as long as it can be, of these characters. */
static struct exchange longest(const char *with) {
  struct exchange made = {.bytes_in = 1073741824,
                          .job = {.photos = 8,
                                  .width = 65535,
                                  .height = 65535,
                                  .format = CAM_JPEG,
                                  .began = clock_seconds() - 3600}};
  struct job *job = &made.job;
  fill(job->id, sizeof job->id, "a");
  fill(made.key, sizeof made.key, "k");
  fill(made.peer, sizeof made.peer, "f");
  fill(made.method, sizeof made.method, with);
  fill(made.path, sizeof made.path, with);
  fill(job->error.detail, sizeof job->error.detail, with);
  fill(made.trace.trace_id, sizeof made.trace.trace_id, "1");
  fill(made.trace.parent_id, sizeof made.trace.parent_id, "2");
  job->error.code = CAM_E_FORMAT;
  job->error.stage = cam_stage_name(CAM_STAGE_DECODE);
  job->response.status = 415;
  job->response.n = (size_t)1 << 40;
  job->timing = (reply_timing){.queue_ms = 3600000, .total_ms = 3600000};
  for (int s = 0; s < CAM_STAGE_COUNT; s++)
    job->timing.stage_ms[s] = 3600000;
  return made;
}

static const char *const hostile[] = {
    "\"",      "\\",       "\n",   "\r\n{\"request_id\":\"forged\"}\n",
    "\x1b[2J", "\xc3\xa4", "\x7f", "\",\"status\":200,\"x\":\"",
    "x"};

START_TEST(one_line_of_json) {
  struct exchange made = longest(hostile[_i]);
  cam_error error;
  log_it(&made, "cut off while it was sent", true);
  size_t n = strlen(written);
  ck_assert_uint_eq(strcspn(written, "\n"), n - 1);
  for (size_t i = 0; i < n - 1; i++)
    ck_assert_msg(written[i] >= ' ' && written[i] <= '~', "byte %d", written[i]);
  json *tree = json_parse(written, n, CAM_E_BODY,
                          &error); /* refuses members that are there twice */
  ck_assert_msg(tree != NULL, "%s in %s", error.detail, written);
  const char *texts[][2] = {{"request_id", made.job.id},
                            {"peer", made.peer},
                            {"key", made.key},
                            {"trace_id", made.trace.trace_id},
                            {"parent_id", made.trace.parent_id},
                            {"route", "other"},
                            {"code", "unsupported_format"},
                            {"format", "jpeg"},
                            {"stage", "decode"},
                            {"end", "cut off while it was sent"}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    ck_assert_str_eq(json_text(json_member(tree, texts[i][0])), texts[i][1]);
  ck_assert_double_eq(json_number(json_member(tree, "status")), 415);
  ck_assert_double_eq(json_number(json_member(tree, "in")), 1073741824);
  ck_assert_double_eq(json_number(json_member(tree, "out")), 1099511627776);
  const char *numbers[] = {"photos",    "width",      "height", "queue_ms",  "decode_ms",
                           "resize_ms", "forward_ms", "cam_ms", "render_ms", "total_ms"};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    ck_assert_int_eq(json_type_of(json_member(tree, numbers[i])), JSON_NUMBER);
  ck_assert_uint_eq(strlen(json_text(json_member(tree, "detail"))),
                    sizeof made.job.error.detail - 1);
  json_free(tree);
}
END_TEST

START_TEST(one_line_of_text) {
  struct exchange made = longest(hostile[_i]);
  log_it(&made, NULL, false);
  size_t n = strlen(written);
  ck_assert_uint_eq(strcspn(written, "\n"), n - 1);
  for (size_t i = 0; i < n - 1; i++)
    ck_assert_msg(written[i] >= ' ' && written[i] <= '~', "byte %d", written[i]);
  ck_assert_ptr_nonnull(strstr(written, " total_ms=36000"));
}
END_TEST

START_TEST(what_is_not_there_is_left_out) {
  struct exchange made = {.job = {.began = clock_seconds()}};
  cam_error error;
  log_it(&made, "closed", true);
  json *tree = json_parse(written, strlen(written), CAM_E_BODY, &error);
  ck_assert_ptr_nonnull(tree);
  const char *absent[] = {"key",   "trace_id", "parent_id", "code",    "detail",
                          "stage", "format",   "photos",    "queue_ms"};
  for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
    ck_assert_ptr_null(json_member(tree, absent[i]));
  ck_assert_str_eq(json_text(json_member(tree, "request_id")), "-");
  json_free(tree);
}
END_TEST

/* Fills a pipe, then reads it: nobody waits, what is lost is counted, and said once. */
START_TEST(lost_lines_are_counted) {
  int ends[2], before = dup(STDERR_FILENO);
  char text[65536];
  ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  fcntl(ends[1], F_SETFL, 0); /* the one that is written to blocks, as they do */
  dup2(ends[1], STDERR_FILENO);
  log_open_output();
  unsigned n = 0;
  while (!log_lines_lost() && n++ < 100000)
    log_event("test", "line %u", n);
  log_event("test", "two more");
  log_event("test", "two more");
  const unsigned long long lost = log_lines_lost();
  ck_assert_uint_eq(lost, 3);
  while (read(ends[0], text, sizeof text) > 0)
    ;
  log_event("test", "heard");
  log_event("test", "again");
  dup2(before, STDERR_FILENO);
  log_open_output();
  const ssize_t got = read(ends[0], text, sizeof text - 1);
  ck_assert_int_gt(got, 0);
  text[got] = 0;
  const char *said = strstr(text, "3 lines were lost"), *heard = strstr(text, "heard");
  ck_assert(said && heard && said < heard);
  ck_assert_ptr_nonnull(strstr(heard, "again"));
  ck_assert_ptr_null(strstr(heard, "lost"));
  ck_assert_uint_eq(log_lines_lost(), lost);
  close(ends[0]);
  close(ends[1]);
  close(before);
}
END_TEST

Suite *log_suite(void);
Suite *log_suite(void) {
  Suite *suite = suite_create("log");
  TCase *tcase = tcase_create("log");
  tcase_add_loop_test(tcase, one_line_of_json, 0, (int)(sizeof hostile / sizeof *hostile));
  tcase_add_loop_test(tcase, one_line_of_text, 0, (int)(sizeof hostile / sizeof *hostile));
  tcase_add_test(tcase, what_is_not_there_is_left_out);
  tcase_add_test(tcase, lost_lines_are_counted);
  suite_add_tcase(suite, tcase);
  return suite;
}
