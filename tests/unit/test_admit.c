/* test_admit.c - what is answered at the headers: framing, routes, length, room, parameters,
 * Accept, ids; and the memory of bodies and answers. */
#include "http/admit.h"
#include "http/cors.h"
#include "http/keys.h"
#include "http/routes.h"
#include "work/answer.h"
#include "work/app.h"
#include "work/generation.h"
#include "work/queue.h"
#include "work/room.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct app app;
static struct access access_to;
static cam_model_info info = {.name = "one"};
static struct served served = {.info = &info};
static struct generation generation = {.n = 1, .models = {&served}};
static config settings;

static void open_app(void) {
  settings = (config){.max_body_bytes = 1000,
                      .bodies_bytes = 1500,
                      .max_reply_bytes = 300,
                      .replies_bytes = 500,
                      .queue = 1,
                      .admin_port = -1,
                      .max_headers = 8,
                      .max_header_bytes = 1024};
  app = (struct app){.config = &settings,
                     .jobs_mutex = PTHREAD_MUTEX_INITIALIZER,
                     .jobs_changed = PTHREAD_COND_INITIALIZER,
                     .teams = 2,
                     .generation = &generation};
  app.queue = queue_create(1);
  atomic_store(&app.phase, APP_READY);
}
static void close_app(void) {
  ck_assert_int_eq(app.open_jobs, 0);
  ck_assert_int_eq(generation.jobs, 0);
  ck_assert_uint_eq(atomic_load(&app.body_bytes), 0);
  ck_assert_uint_eq(atomic_load(&app.reply_bytes), 0);
  queue_free(app.queue);
}

static struct head post(void) {
  return (struct head){
      .method = "POST", .path = "/cam", .content_length = "10", .content_lengths = 1};
}
static cam_code admitted(struct head head, char *detail) {
  struct exchange *made = exchange_new(&app, &access_to);
  admit(made, &head);
  cam_code code = made->job.error.code;
  if (detail)
    strcpy(detail, made->job.error.detail);
  exchange_free(made);
  return code;
}
static cam_code at(const char *method, const char *path) {
  return admitted((struct head){.method = method, .path = path}, NULL);
}

START_TEST(routes) {
  ck_assert_int_eq(admitted(post(), NULL), CAM_OK);
  const char *good[] = {"/",          "/assets/app.js", "/healthz", "/readyz",      "/metrics",
                        "/v1/models", "/labels",        "/version", "/openapi.json"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    ck_assert_int_eq(at("GET", good[i]), CAM_OK);
    ck_assert_int_eq(at("HEAD", good[i]), CAM_OK);
    ck_assert_int_eq(at("POST", good[i]), CAM_E_METHOD);
    ck_assert_int_eq(at("get", good[i]), CAM_E_METHOD);
  }
  const char *bad[] = {"",        "/cam/",    "//", "/healthz\1", "/../healthz",
                       "/assets", "/Healthz", "*",  "/healthz/",  "healthz"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_assert_int_eq(at("GET", bad[i]), CAM_E_NOT_FOUND);
  ck_assert_int_eq(at("GET", "/cam"), CAM_E_METHOD);
  ck_assert_int_eq(at("HEAD", "/cam"), CAM_E_METHOD);
}
END_TEST

/* Of KServe: the first pattern that fits is the path's, whatever the method; a model is named. */
START_TEST(patterns) {
  static const struct {
    const char *method, *path;
    cam_code code;
  } rows[] = {
      {"POST", "/v1/models/one:predict", CAM_OK},
      {"POST", "/v1/models/one:explain", CAM_OK},
      {"POST", "/v2/models/one/infer", CAM_OK},
      {"POST", "/v2/models/one/versions/1/infer", CAM_OK},
      {"GET", "/v1/models/one:predict", CAM_E_METHOD},
      {"GET", "/v2/models/one/infer", CAM_E_METHOD},
      {"POST", "/v2/models/one/ready", CAM_E_METHOD},
      {"POST", "/v1/models/one", CAM_E_METHOD},
      {"POST", "/v1/models/two:predict", CAM_E_NOT_FOUND},
      {"POST", "/v1/models/:predict", CAM_E_NOT_FOUND},
      {"POST", "/v2/models//infer", CAM_E_NOT_FOUND},
      {"POST", "/v2/models/infer", CAM_E_METHOD},
      {"POST", "/v2/models/one/versions/2/infer", CAM_E_NOT_FOUND},
      {"GET", "/v2/one", CAM_E_NOT_FOUND},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct head head = {.method = rows[i].method, .path = rows[i].path};
    if (!strcmp(rows[i].method, "POST") && rows[i].code != CAM_E_METHOD) {
      head.content_length = "10";
      head.content_lengths = 1;
    }
    ck_assert_msg(admitted(head, NULL) == rows[i].code, "%s %s", rows[i].method, rows[i].path);
  }
}
END_TEST

/* With an admin port what the service tells of itself is there, and nothing else. */
START_TEST(ports) {
  static const struct {
    const char *path;
    bool main, admin;
  } where[] = {
      {"/metrics", false, true},
      {"/healthz", true, true},
      {"/readyz", true, true},
      {"/version", true, true},
      {"/", true, false},
      {"/labels", true, false},
      {"/v1/models", true, false},
      {"/v1/models/one", true, false},
      {"/v2", true, false},
      {"/v2/health/ready", true, false},
      {"/v2/models/one", true, false},
      {"/v2/models/one/ready", true, false},
      {"/openapi.json", true, false},
      {"/assets/app.js", true, false},
  };
  settings.admin_port = 0;
  for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
    ck_assert_int_eq(at("GET", where[i].path), where[i].main ? CAM_OK : CAM_E_NOT_FOUND);
    ck_assert_int_eq(
        admitted((struct head){.method = "GET", .path = where[i].path, .admin = true}, NULL),
        where[i].admin ? CAM_OK : CAM_E_NOT_FOUND);
  }
  struct head head = post();
  ck_assert_int_eq(admitted(head, NULL), CAM_OK);
  head.admin = true;
  ck_assert_int_eq(admitted(head, NULL), CAM_E_NOT_FOUND);
}
END_TEST

START_TEST(method_says_allow) {
  struct exchange *made = exchange_new(&app, &access_to);
  struct head head = {.method = "PUT", .path = "/labels"};
  admit(made, &head);
  const struct response *response = &made->job.response;
  ck_assert_int_eq(response->status, 405);
  ck_assert_int_eq(response->n_headers, 1);
  ck_assert_str_eq(response->headers[0].name, "Allow");
  ck_assert_str_eq(response->headers[0].value, "GET, HEAD");
  exchange_free(made);
}
END_TEST

START_TEST(framing) {
  struct head head = post();
  head.content_lengths = 2;
  ck_assert_int_eq(admitted(head, NULL), CAM_E_BODY);
  head = post();
  head.transfer_encoding = "chunked";
  head.transfer_encodings = 1;
  ck_assert_int_eq(admitted(head, NULL), CAM_E_BODY);
  head.content_length = NULL;
  head.content_lengths = 0;
  ck_assert_int_eq(admitted(head, NULL), CAM_OK);
  ck_assert(head_has_body(&head));
  head.transfer_encodings = 2;
  ck_assert_int_eq(admitted(head, NULL), CAM_E_BODY);
  head.transfer_encodings = 1;
  head.transfer_encoding = "gzip, chunked";
  ck_assert_int_eq(admitted(head, NULL), CAM_E_BODY);
  struct head get = {
      .method = "GET", .path = "/healthz", .content_length = "3", .content_lengths = 1};
  ck_assert_int_eq(admitted(get, NULL), CAM_E_BODY);
  get.bad_names = 1;
  ck_assert_int_eq(admitted(get, NULL), CAM_E_BODY);
  get.content_length = NULL;
  get.content_lengths = 0;
  ck_assert(head_has_body(&get)); /* perhaps: so the connection ends with the answer */
  get.bad_names = 0;
  get.hosts = 2;
  ck_assert_int_eq(admitted(get, NULL), CAM_E_BODY);
  get.hosts = 1;
  get.content_length = "0";
  get.content_lengths = 1;
  ck_assert_int_eq(admitted(get, NULL), CAM_OK);
  ck_assert(!head_has_body(&get));
}
END_TEST

START_TEST(length) {
  char detail[160];
  struct head head = post();
  head.content_length = "1000";
  ck_assert_int_eq(admitted(head, NULL), CAM_OK);
  head.content_length = "1001";
  ck_assert_int_eq(admitted(head, detail), CAM_E_TOO_LARGE);
  ck_assert_str_eq(detail, "the body has 1001 bytes; allowed are 1000");
  head.content_length = "18446744073709551615";
  ck_assert_int_eq(admitted(head, NULL), CAM_E_TOO_LARGE);
  head.content_length = NULL;
  head.content_lengths = 0;
  ck_assert_int_eq(admitted(head, NULL), CAM_E_LENGTH);
}
END_TEST

START_TEST(size_of_headers) {
  char detail[160];
  struct head head = post();
  head.n_headers = 8;
  head.n_bytes = 1024;
  ck_assert_int_eq(admitted(head, NULL), CAM_OK);
  head.n_headers = 9;
  ck_assert_int_eq(admitted(head, detail), CAM_E_HEADERS);
  ck_assert_str_eq(detail, "9 headers; allowed are 8");
  head.n_headers = 0;
  head.n_bytes = 1025;
  ck_assert_int_eq(admitted(head, detail), CAM_E_HEADERS);
  ck_assert_str_eq(detail, "1025 bytes of request line and headers; allowed are 1024");
}
END_TEST

START_TEST(model_of_the_query) {
  char detail[sizeof((cam_error *)0)->detail];
  struct head head = post();
  head.query[0].name = "model";
  head.query[0].value = "two";
  head.n_query = 1;
  ck_assert_int_eq(admitted(head, detail), CAM_E_PARAMETER);
  ck_assert_str_eq(detail, "model: \"two\" is not served; allowed are one");
  head.query[0].value = "";
  ck_assert_int_eq(admitted(head, detail), CAM_E_PARAMETER);
  head.query[0].value = "one";
  ck_assert_int_eq(admitted(head, NULL), CAM_OK);

  struct head labels = {.method = "GET", .path = "/labels", .n_query = 1};
  labels.query[0] = head.query[0];
  ck_assert_int_eq(admitted(labels, NULL), CAM_OK);
  labels.query[0].value = "two";
  ck_assert_int_eq(admitted(labels, detail), CAM_E_PARAMETER);
  ck_assert_str_eq(detail, "model: \"two\" is not served; allowed are one");
}
END_TEST

START_TEST(phase) {
  atomic_store(&app.phase, APP_STARTING);
  app.generation = NULL;
  ck_assert_int_eq(admitted(post(), NULL), CAM_E_NOT_READY);
  ck_assert_int_eq(at("GET", "/labels"), CAM_E_NOT_READY);
  ck_assert_int_eq(at("GET", "/healthz"), CAM_OK);
  ck_assert_int_eq(at("GET", "/version"), CAM_OK);
  app.generation = &generation; /* it is there a moment before the filter of system calls is: no
                                   photo is read without it */
  ck_assert_int_eq(admitted(post(), NULL), CAM_E_NOT_READY);
  atomic_store(&app.phase, APP_LEAVING);
  ck_assert_int_eq(admitted(post(), NULL), CAM_OK);
  atomic_store(&app.phase, APP_DRAINING);
  ck_assert_int_eq(admitted(post(), NULL), CAM_E_NOT_READY);
  ck_assert_int_eq(at("GET", "/labels"), CAM_OK);
  struct exchange *made = exchange_new(&app, &access_to);
  const struct head head = post();
  made->first = true; /* who has just connected does not know */
  admit(made, &head);
  ck_assert_int_eq(made->job.error.code, CAM_OK);
  exchange_free(made);
}
END_TEST

START_TEST(retry_after) {
  struct pace pace = {0};
  ck_assert_int_eq(pace_retry_after(&pace, 0), 1);
  pace_note(&pace, 7, 1);
  ck_assert_int_eq(pace_retry_after(&pace, 0), 7); /* nobody else was served meanwhile */
  for (int i = 0; i < 200; i++)
    pace_note(&pace, 7, 2);
  ck_assert_int_eq(pace_retry_after(&pace, 0), 4); /* two at a time */
  ck_assert_int_eq(pace_retry_after(&pace, 1), 7);
  pace_note(&pace, 1e6, 0);
  ck_assert_int_eq(pace_retry_after(&pace, 0), 60);
}
END_TEST

START_TEST(full_queue) {
  struct job waiting = {.app = &app};
  struct exchange *made = exchange_new(&app, &access_to);
  struct job *job = &made->job;
  pace_note(&app.pace, 3.5, 1);
  ck_assert_int_eq(room_enqueue(&waiting), CAM_OK);
  struct head head = post();
  admit(made, &head);
  ck_assert_int_eq(job->error.code, CAM_E_BUSY);
  ck_assert_str_eq(job->error.detail, "1 requests wait already; allowed are 1");
  answer_problem(job);
  ck_assert_int_eq(job->response.status, 429);
  ck_assert_str_eq(job->response.headers[0].name, "Retry-After");
  ck_assert_str_eq(job->response.headers[0].value, "7");
  ck_assert_int_eq(metrics_end_of(job->error.code, true), REFUSED_QUEUE_FULL);
  job->error = (cam_error){0};
  ck_assert_int_eq(room_enqueue(job), CAM_E_BUSY); /* it filled after the headers */
  ck_assert_str_eq(job->error.detail, "1 requests wait already; allowed are 1");
  ck_assert_ptr_eq(queue_take(app.queue), &waiting);
  queue_close(app.queue);
  ck_assert_int_eq(room_enqueue(job), CAM_E_NOT_READY);
  exchange_free(made);
}
END_TEST

START_TEST(query_and_accept) {
  char detail[160];
  struct head head = post();
  head.n_query = 1;
  head.query[0].name = "alpha";
  head.query[0].value = "NaN";
  ck_assert_int_eq(admitted(head, detail), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(detail, "alpha"));
  head.query[0].value = "0.5";
  head.query[1] = head.query[0];
  head.n_query = 2;
  ck_assert_int_eq(admitted(head, detail), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(detail, "alpha: given twice"));
  head.n_query = 1;
  ck_assert_int_eq(admitted(head, NULL), CAM_OK);
  head.n_query = 100000;
  ck_assert_int_eq(admitted(head, NULL), CAM_E_PARAMETER);
  head = post();
  head.accept = "text/html";
  ck_assert_int_eq(admitted(head, NULL), CAM_E_NOT_ACCEPTABLE);
}
END_TEST

static bool allowed(struct head head, int status, const char *origin) {
  struct exchange *made = exchange_new(&app, &access_to);
  admit(made, &head);
  const struct response *response = &made->job.response;
  const char *said = made->allow_origin ? made->allow_origin : "", *due = origin ? origin : "";
  bool same = response->status == status && !strcmp(said, due);
  if (status == 204)
    same = same && !made->job.error.code && response->n_headers == 3 && !response->n &&
           !response->type;
  exchange_free(made);
  return same;
}

START_TEST(preflight) {
  const char *origin = "https://a.example";
  cam_error error;
  struct head ask = {.method = "OPTIONS", .path = "/cam", .origin = origin, .preflight = "POST"},
              head = ask;
  ck_assert(allowed(ask, 405, NULL)); /* cors is empty */
  ck_assert_int_eq(cors_open(origin, &access_to.cors, &error), CAM_OK);
  ck_assert(allowed(ask, 204, origin));
  head.origin = "https://b.example";
  ck_assert(allowed(head, 405, NULL));
  head.origin = NULL;
  ck_assert(allowed(head, 405, NULL));
  head = ask;
  head.preflight = NULL;
  ck_assert(allowed(head, 405, origin));
  head = ask;
  head.preflight = "PUT";
  ck_assert(allowed(head, 405, origin));
  head = ask;
  head.path = "/labels";
  head.preflight = "GET";
  ck_assert(allowed(head, 204, origin));
  head.path = "/nothing"; /* a problem that is answered with the last call */
  ck_assert(allowed(head, 0, origin));
  head = ask;
  head.content_length = "5";
  head.content_lengths = 1;
  ck_assert_int_eq(admitted(head, NULL), CAM_E_BODY);
  head = post();
  head.origin = origin;
  ck_assert(allowed(head, 0, origin));
  cors_free(access_to.cors);
  ck_assert_int_eq(cors_open("*", &access_to.cors, &error), CAM_OK);
  ck_assert(allowed(ask, 204, "*"));
  ck_assert(allowed(post(), 0, "*"));
  head = (struct head){.method = "GET", .path = "/metrics", .origin = origin, .admin = true};
  ck_assert(allowed(head, 0,
                    NULL)); /* what is for who runs it is for no page, and no key keeps it there */
  cors_free(access_to.cors);
  access_to.cors = NULL;
}
END_TEST

/* One key; what a request is answered, its WWW-Authenticate and the name it is known by. */
START_TEST(keys) {
  const char key[] = "0123456789abcdef",
             invalid[] = "Bearer realm=\"camserve\", error=\"invalid_token\"";
  const struct {
    const char *method, *path, *authorization, *api_key, *challenge;
  } cases[] = {
      {"POST", "/cam", NULL, NULL, "Bearer realm=\"camserve\""},
      {"POST", "/cam", NULL, "0123456789abcdeF", invalid},
      {"POST", "/cam", "Bearer 0123456789abcdef", NULL, NULL},
      {"POST", "/cam", NULL, key, NULL},
      {"POST", "/cam", "Basic YTpi", key, NULL},
      {"POST", "/cam", "Bearer x", key, invalid},
      {"POST", "/cam", NULL, "", invalid},
      {"GET", "/metrics", NULL, NULL, "Bearer realm=\"camserve\""},
      {"GET", "/metrics", NULL, key, NULL},
      {"GET", "/healthz", NULL, NULL, NULL},
      {"GET", "/readyz", NULL, "wrong", NULL},
      {"GET", "/", NULL, NULL, NULL},
      {"GET", "/labels", NULL, NULL, NULL},
      {"GET", "/version", NULL, NULL, NULL},
      {"GET", "/v1/models", NULL, NULL, NULL},
      {"GET", "/openapi.json", NULL, NULL, NULL},
      {"GET", "/assets/app.js", NULL, NULL, NULL},
  };
  char path[] = "/tmp/test_admit_XXXXXX";
  cam_error error;
  FILE *file = fdopen(mkstemp(path), "w");
  fprintf(file, "anna %s\n", key);
  fclose(file);
  ck_assert_int_eq(keys_open(path, &access_to.keys, &error), CAM_OK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const bool body = *cases[i].method == 'P';
    struct head head = {.method = cases[i].method,
                        .path = cases[i].path,
                        .authorization = cases[i].authorization,
                        .api_key = cases[i].api_key,
                        .content_length = body ? "100000" : NULL,
                        .content_lengths = body};
    struct exchange *made = exchange_new(&app, &access_to);
    const struct job *job = &made->job;
    const bool wants_key = body || !strcmp(cases[i].path, "/metrics");
    admit(made, &head);
    if (cases[i].challenge) {
      ck_assert_int_eq(job->error.code, CAM_E_UNAUTHORIZED);
      ck_assert_int_eq(job->response.status, 401);
      ck_assert_str_eq(job->response.headers[0].value, cases[i].challenge);
      ck_assert_str_eq(made->key, "");
    } else {
      ck_assert_int_eq(job->error.code, body ? CAM_E_TOO_LARGE : CAM_OK);
      ck_assert_int_eq(job->response.status, 0);
      ck_assert_str_eq(made->key, wants_key ? "anna" : "");
    }
    exchange_free(made);
  }
  keys_free(access_to.keys);
  access_to.keys = NULL;
  unlink(path);
}
END_TEST

START_TEST(ids) {
  char id[REQUEST_ID_MAX + 1], other[REQUEST_ID_MAX + 1], longest[REQUEST_ID_MAX + 2];
  memset(longest, 'a', sizeof longest);
  longest[REQUEST_ID_MAX + 1] = 0;
  request_id_set(id, "Az09._-");
  ck_assert_str_eq(id, "Az09._-");
  request_id_set(id, longest + 1);
  ck_assert_str_eq(id, longest + 1);
  const char *bad[] = {NULL, "", "a b", "a\r\nb", "a\"b", "\xc3\xa4", longest};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    request_id_set(id, bad[i]);
    request_id_set(other, bad[i]);
    ck_assert_uint_eq(strlen(id), 32);
    ck_assert_uint_eq(strspn(id, "0123456789abcdef"), 32);
    ck_assert_str_ne(id, other);
  }
}
END_TEST

START_TEST(bodies_are_bounded) {
  cam_error error;
  char bytes[1000];
  memset(bytes, 'x', sizeof bytes);
  struct exchange *one = exchange_new(&app, &access_to), *two = exchange_new(&app, &access_to);
  struct job *a = &one->job, *b = &two->job;
  for (int i = 0; i < 1000; i += 100)
    ck_assert_int_eq(room_add_body(a, bytes, 100, &error), CAM_OK);
  ck_assert_uint_eq(a->n_body, 1000);
  ck_assert_int_eq(room_add_body(b, bytes, 500, &error), CAM_OK);
  ck_assert_int_eq(room_add_body(b, bytes, 1, &error), CAM_E_ROOM); /* all bodies together */
  ck_assert_uint_eq(b->n_body, 0);
  ck_assert_uint_eq(atomic_load(&app.body_bytes), 1000);
  ck_assert_int_eq(room_add_body(a, bytes, 1, &error), CAM_E_TOO_LARGE);
  ck_assert_uint_eq(a->n_body, 0);
  exchange_free(one);
  exchange_free(two);
}
END_TEST

/* One that is larger than all together may be would be told to come back for ever. */
START_TEST(what_never_fits_is_too_large) {
  cam_error error;
  char bytes[601] = "";
  settings.bodies_bytes = 600;
  struct exchange *one = exchange_new(&app, &access_to);
  ck_assert_int_eq(room_for_length(&one->job, 600, &error), CAM_OK);
  ck_assert_int_eq(room_for_length(&one->job, 601, &error), CAM_E_TOO_LARGE);
  ck_assert_str_eq(error.detail, "the body has 601 bytes; allowed are 600");
  ck_assert_int_eq(room_add_body(&one->job, bytes, 601, &error), CAM_E_TOO_LARGE);
  ck_assert_int_eq(room_add_body(&one->job, bytes, 600, &error), CAM_OK);
  exchange_free(one);
}
END_TEST

START_TEST(encodings_are_named) {
  static const char *const wrong[] = {"gzip", "br", "identity, gzip", "x"};
  char detail[160];
  struct head head = post();
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    head.content_encoding = wrong[i];
    ck_assert_int_eq(admitted(head, detail), CAM_E_FORMAT);
    ck_assert_msg(strstr(detail, "Content-Encoding") && strstr(detail, wrong[i]), "%s", detail);
  }
  head.content_encoding = "Identity";
  ck_assert_int_eq(admitted(head, NULL), CAM_OK);
  head.content_encoding = "";
  ck_assert_int_eq(admitted(head, NULL), CAM_OK);
}
END_TEST

START_TEST(blank_headers_are_left_out) {
  struct exchange *one = exchange_new(&app, &access_to);
  job_add_header(&one->job, "X-Cam-Label", "");
  job_add_header(&one->job, "X-Cam-Label", " \t ");
  ck_assert_int_eq(one->job.response.n_headers, 0);
  job_add_header(&one->job, "X-Cam-Label", " a");
  ck_assert_int_eq(one->job.response.n_headers, 1);
  exchange_free(one);
}
END_TEST

/* Of one answer's pictures 300 bytes, of all answers 500: taken before they are made, settled when
 * they are; what is refused is not counted. */
START_TEST(answers_are_bounded) {
  struct exchange *one = exchange_new(&app, &access_to), *two = exchange_new(&app, &access_to);
  struct job *a = &one->job, *b = &two->job;
  ck_assert_int_eq(room_take_reply(a, 301, 0), CAM_E_REPLY);
  ck_assert_int_eq(room_take_reply(a, 300, 201), CAM_E_REPLY);
  ck_assert_uint_eq(atomic_load(&app.reply_bytes), 0);
  a->error.code = CAM_OK;
  ck_assert_int_eq(room_take_reply(a, 300, 100), CAM_OK);
  ck_assert_int_eq(room_take_reply(b, 100, 1), CAM_E_ROOM);
  b->error.code = CAM_OK;
  ck_assert_int_eq(room_take_reply(b, 100, 0), CAM_OK);
  a->response.n = 250;
  room_settle_reply(a);
  ck_assert_uint_eq(atomic_load(&app.reply_bytes), 350);
  b->response.n = 301;
  room_settle_reply(b);
  ck_assert_int_eq(b->error.code, CAM_E_REPLY);
  ck_assert_uint_eq(atomic_load(&app.reply_bytes), 250);
  exchange_free(one);
  exchange_free(two);
  ck_assert_uint_eq(atomic_load(&app.reply_bytes), 0);
}
END_TEST

START_TEST(headers_are_safe) {
  struct exchange *made = exchange_new(&app, &access_to);
  struct response *response = &made->job.response;
  job_add_header(&made->job, "X-Cam-Label", "a\r\nSet-Cookie: \xc3\xa9");
  ck_assert_str_eq(response->headers[0].value, "a??Set-Cookie: ??");
  for (int i = 0; i < 20; i++)
    job_add_header(&made->job, "X", "y");
  ck_assert_int_eq(response->n_headers, RESPONSE_HEADERS);
  exchange_free(made);
  exchange_free(NULL);
}
END_TEST

Suite *admit_suite(void);
Suite *admit_suite(void) {
  Suite *suite = suite_create("admit");
  TCase *tcase = tcase_create("admit");
  tcase_add_checked_fixture(tcase, open_app, close_app);
  tcase_add_test(tcase, routes);
  tcase_add_test(tcase, patterns);
  tcase_add_test(tcase, ports);
  tcase_add_test(tcase, method_says_allow);
  tcase_add_test(tcase, framing);
  tcase_add_test(tcase, length);
  tcase_add_test(tcase, size_of_headers);
  tcase_add_test(tcase, model_of_the_query);
  tcase_add_test(tcase, phase);
  tcase_add_test(tcase, retry_after);
  tcase_add_test(tcase, full_queue);
  tcase_add_test(tcase, query_and_accept);
  tcase_add_test(tcase, preflight);
  tcase_add_test(tcase, keys);
  tcase_add_test(tcase, ids);
  tcase_add_test(tcase, bodies_are_bounded);
  tcase_add_test(tcase, what_never_fits_is_too_large);
  tcase_add_test(tcase, encodings_are_named);
  tcase_add_test(tcase, blank_headers_are_left_out);
  tcase_add_test(tcase, answers_are_bounded);
  tcase_add_test(tcase, headers_are_safe);
  suite_add_tcase(suite, tcase);
  return suite;
}
