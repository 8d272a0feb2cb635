/* admit.c - what is checked when the headers are complete: the only moment at which a request can
 * be answered before its body was sent. The checks are a list; the first that fails ends it.
 * Flow: http -> [admit] -> routes or body -> queue.   Thread: the connection's. */
#include "admit.h"
#include "base/whole.h"
#include "cors.h"
#include "keys.h"
#include "kserve/kserve.h"
#include "routes.h"
#include "wire/accept.h"
#include "work/answer.h"
#include "work/app.h"
#include "work/generation.h"
#include "work/room.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void check_size(struct exchange *exchange, const struct head *head) {
  const config *settings = exchange->job.app->config;
  cam_error *error = &exchange->job.error;
  if (head->no_memory)
    cam_fail(error, CAM_E_NO_MEMORY, "no memory for the headers");
  else if (head->n_headers > settings->max_headers)
    cam_fail(error, CAM_E_HEADERS, "%d headers; allowed are %lld", head->n_headers,
             (long long)settings->max_headers);
  else if (head->n_bytes > (size_t)settings->max_header_bytes)
    cam_fail(error, CAM_E_HEADERS, "%zu bytes of request line and headers; allowed are %lld",
             head->n_bytes, (long long)settings->max_header_bytes);
}

/* A body whose length two parties may read differently is how requests are smuggled past a proxy:
 * RFC 9112 sections 6.1 and 6.3; for names with a blank before the colon, which the library takes
 * for other headers, 5.1; for two hosts, 3.2. */
static void check_framing(struct exchange *exchange, const struct head *head) {
  cam_error *error = &exchange->job.error;
  if (head->strange)
    cam_fail(error, CAM_E_BODY,
             "headers: a NUL, a line that ends in LF alone, or one that goes on in the next");
  else if (head->bad_names)
    cam_fail(error, CAM_E_BODY,
             "headers: %d with no name, or with a character in it that no name has",
             head->bad_names);
  else if (head->hosts > 1)
    cam_fail(error, CAM_E_BODY, "Host: given %d times", head->hosts);
  else if (head->content_lengths > 1)
    cam_fail(error, CAM_E_BODY, "Content-Length: given %d times", head->content_lengths);
  else if (head->transfer_encodings && head->content_lengths)
    cam_fail(error, CAM_E_BODY, "Content-Length beside Transfer-Encoding");
  else if (head->transfer_encodings > 1 ||
           (head->transfer_encodings && strcasecmp(head->transfer_encoding, "chunked")))
    cam_fail(error, CAM_E_BODY, "Transfer-Encoding: \"%.40s\"; only chunked is read",
             head->transfer_encoding);
}

/* A browser's question whether a page of another site may send this request: it carries neither key
 * nor body, so it is answered before they are looked for.
 * https://fetch.spec.whatwg.org/#http-requests. Without allow_origin it is a request like any
 * other, and OPTIONS a method that no path answers to. */
static bool is_preflight(const struct exchange *exchange, const struct head *head) {
  return exchange->allow_origin && head->origin && head->preflight &&
         !strcmp(head->method, "OPTIONS");
}

static void answer_preflight(struct job *job, const struct route *route) {
  static char nothing[1];
  job_answer(job, 204, NULL, nothing, 0, false);
  job_add_header(job, "Access-Control-Allow-Methods", route->method);
  job_add_header(job, "Access-Control-Allow-Headers", CORS_REQUEST_HEADERS);
  job_add_header(job, "Access-Control-Max-Age", CORS_SECONDS);
}

static unsigned ports_of(const struct head *head, const config *settings) {
  if (head->admin)
    return PORT_ADMIN;
  return settings->admin_port < 0 ? PORT_MAIN | PORT_ALONE : PORT_MAIN;
}

static void check_route(struct exchange *exchange, const struct head *head) {
  struct job *job = &exchange->job;
  char allow[32];
  const bool preflight = is_preflight(exchange, head), has_body = head_has_body(head);
  exchange->route = route_find(preflight ? head->preflight : head->method, head->path,
                               ports_of(head, job->app->config), allow, &job->error);
  if (job->error.code == CAM_E_METHOD) {
    answer_problem(job);
    job_add_header(job, "Allow", allow);
    return;
  }
  if (job->error.code)
    return;
  if (preflight && !has_body)
    answer_preflight(job, exchange->route);
  else if (has_body && (preflight || !exchange->route->takes_body))
    cam_fail(&job->error, CAM_E_BODY, "%s takes no body",
             preflight ? "OPTIONS" : exchange->route->path);
}

/* After the route, so that /healthz stays open, and before a byte of the body. The challenge: RFC
 * 6750 section 3. */
static void refuse_key(struct job *job, const char *detail, const char *challenge) {
  cam_fail(&job->error, CAM_E_UNAUTHORIZED, "%s", detail);
  answer_problem(job);
  job_add_header(job, "WWW-Authenticate", challenge);
}

static void check_key(struct exchange *exchange, const struct head *head) {
  struct keys *keys = exchange->access->keys;
  if (!keys || !exchange->route->wants_key || head->admin)
    return; /* who may ask at the admin port is who reaches it */
  const char *given = keys_given(head->authorization, head->api_key);
  if (!given)
    refuse_key(&exchange->job, "the key is missing: Authorization: Bearer KEY, or X-Api-Key: KEY",
               "Bearer realm=\"camserve\"");
  else if (!keys_find(keys, given, exchange->key))
    refuse_key(&exchange->job, "the key is wrong",
               "Bearer realm=\"camserve\", error=\"invalid_token\"");
}

static void check_phase(struct exchange *exchange, const struct head *head) {
  (void)head;
  struct job *job = &exchange->job;
  const bool starting = !job->generation || atomic_load(&job->app->phase) == APP_STARTING;
  if (exchange->route->needs_model && starting)
    cam_fail(&job->error, CAM_E_NOT_READY, "the service is starting");
  /* whoever has just connected was not told that it ends here, and is served */
  if (exchange->route->takes_body && !exchange->first &&
      atomic_load(&job->app->phase) == APP_DRAINING)
    cam_fail(&job->error, CAM_E_NOT_READY, "the service is draining");
}

static void check_length(struct exchange *exchange, const struct head *head) {
  struct job *job = &exchange->job;
  if (!exchange->route->takes_body)
    return;
  if (!head->content_length && !head->transfer_encodings) {
    cam_fail(&job->error, CAM_E_LENGTH, "neither Content-Length nor Transfer-Encoding: chunked");
    return;
  }
  job->declared = head_declared(head);
  room_for_length(job, job->declared, &job->error);
}

/* How much of the body is JSON, where binary data follows it. */
static void check_json_length(struct exchange *exchange, const struct head *head) {
  struct job *job = &exchange->job;
  if (exchange->route->takes_body && head->json_length &&
      !whole_read(head->json_length, 0, INT64_MAX, &job->n_json))
    cam_fail(&job->error, CAM_E_BODY,
             "Inference-Header-Content-Length: \"%.40s\"; a number of bytes", head->json_length);
}

/* RFC 9110 sections 8.4 and 15.5.16. */
static void check_encoding(struct exchange *exchange, const struct head *head) {
  struct job *job = &exchange->job;
  const char *coding = head->content_encoding;
  if (!exchange->route->takes_body || !coding || !*coding || !strcasecmp(coding, "identity"))
    return;
  cam_fail(&job->error, CAM_E_FORMAT,
           "Content-Encoding: \"%.40s\"; a body is read as it is, without one", coding);
  answer_problem(job);
  job_add_header(job, "Accept-Encoding", "identity");
}

static void check_room(struct exchange *exchange, const struct head *head) {
  (void)head;
  if (exchange->route->takes_body)
    room_to_wait(&exchange->job, &exchange->job.error);
}

/* Each into job.params. */
static void read_query(struct job *job, const struct head *head) {
  for (int i = 0; i < head->n_query && i < HEAD_QUERY && !job->error.code; i++)
    params_set(&job->params, head->query[i].name, head->query[i].value, &job->error);
  if (!job->error.code && head->n_query > HEAD_QUERY)
    cam_fail(&job->error, CAM_E_PARAMETER, "%d parameters; allowed are %d", head->n_query,
             HEAD_QUERY);
}

/* The model that the query names, on a route without a body: all that may stand there. */
static void check_model(struct exchange *exchange, const struct head *head) {
  struct job *job = &exchange->job;
  if (!exchange->route->of_model)
    return;
  for (int i = 0; i < head->n_query && i < HEAD_QUERY && !job->error.code; i++)
    if (strcmp(head->query[i].name, "model"))
      cam_fail(&job->error, CAM_E_PARAMETER, "%.40s: no such parameter; allowed is model",
               head->query[i].name);
  if (!job->error.code)
    read_query(job, head);
  if (!job->error.code)
    job->served = generation_find(job->generation, job->params.model, CAM_E_PARAMETER, &job->error);
}

/* A model that the path names is named there alone: as a parameter it would be given twice. */
static void read_path(struct job *job, const char *path) {
  char name[KSERVE_NAME_MAX];
  if (!kserve_protocol(path))
    return;
  if (!kserve_model_of(path, name))
    cam_fail(&job->error, CAM_E_NOT_FOUND, "there is nothing at %.80s", path);
  else if (generation_find(job->generation, name, CAM_E_NOT_FOUND, &job->error))
    params_set(&job->params, "model", name, &job->error);
}

/* A model that is not served is refused before the body; one that the body names, when it is read.
 */
static void check_query(struct exchange *exchange, const struct head *head) {
  struct job *job = &exchange->job;
  if (!exchange->route->takes_body)
    return;
  read_path(job, exchange->path);
  read_query(job, head);
  if (!job->error.code && *job->params.model)
    generation_find(job->generation, job->params.model, CAM_E_PARAMETER, &job->error);
}

static void check_accept(struct exchange *exchange, const struct head *head) {
  struct job *job = &exchange->job;
  if (!exchange->route->takes_body || !job->protocol->negotiates)
    return;
  job->accepted = accept_choose(head->accept);
  if (job->accepted.form == ACCEPT_NEITHER)
    cam_fail(&job->error, CAM_E_NOT_ACCEPTABLE,
             "Accept: \"%.60s\"; there are application/json, image/png and image/jpeg",
             head->accept);
}

static void take_over(struct exchange *exchange, const struct head *head) {
  struct job *job = &exchange->job;
  request_id_set(job->id, head->request_id);
  job->generation = generation_join(job->app);
  if (!head->admin) /* a page in the operator's browser reaches the admin port, too */
    exchange->allow_origin = cors_allow(exchange->access->cors, head->origin);
  if (head->traceparents == 1) /* two are as good as none */
    trace_parse(head->traceparent, &exchange->trace);
  snprintf(exchange->method, sizeof exchange->method, "%s", head->method);
  snprintf(exchange->path, sizeof exchange->path, "%s", head->path);
  exchange->page = !head->accept || strcasestr(head->accept, "text/html");
  const protocol *spoken = kserve_protocol(exchange->path);
  if (spoken) /* before any check, so that every error is written so */
    job->protocol = spoken;
}

void admit(struct exchange *exchange, const struct head *head) {
  static void (*const checks[])(struct exchange *, const struct head *) = {
      check_size,   check_framing,     check_route,    check_key,  check_phase, check_model,
      check_length, check_json_length, check_encoding, check_room, check_query, check_accept};
  struct job *job = &exchange->job;
  take_over(exchange, head);
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
    checks[i](exchange, head);
    if (job->error.code || job->response.status)
      break;
  }
  if (job->error.code || !head->content_type)
    return;
  job->content_type = strdup(head->content_type);
  if (!job->content_type)
    cam_fail(&job->error, CAM_E_NO_MEMORY, "no memory for the Content-Type");
}
