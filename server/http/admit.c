/* admit.c - what is checked when the headers are complete: the only moment at which a request can
 * be answered before its body was sent. The checks are a list; the first that fails ends it. Flow:
 * http -> [admit] -> routes or body -> queue. */
#include "routes.h"
#include "wire/accept.h"
#include "work/app.h"
#include "work/generation.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool head_has_body(const struct head *head) {
  return head->transfer_encodings || head->content_lengths > 1 || head->bad_names ||
         (head->content_length && strtoull(head->content_length, NULL, 10));
}

static void check_size(struct job *job, const struct head *head) {
  const config *settings = job->app->config;
  if (head->n_headers > settings->max_headers)
    cam_fail(&job->error, CAM_E_HEADERS, "%d headers; allowed are %lld", head->n_headers,
             (long long)settings->max_headers);
  else if (head->n_bytes > (size_t)settings->max_header_bytes)
    cam_fail(&job->error, CAM_E_HEADERS, "%zu bytes of request line and headers; allowed are %lld",
             head->n_bytes, (long long)settings->max_header_bytes);
}

/* A body whose length two parties may read differently is how requests are smuggled past a proxy:
 * RFC 9112 sections 6.1 and 6.3; for names with a blank before the colon, which the library takes
 * for other headers, 5.1; for two hosts, 3.2. */
static void check_framing(struct job *job, const struct head *head) {
  if (head->bad_names)
    cam_fail(&job->error, CAM_E_BODY,
             "headers: %d with no name, or with a character in it that no name has",
             head->bad_names);
  else if (head->hosts > 1)
    cam_fail(&job->error, CAM_E_BODY, "Host: given %d times", head->hosts);
  else if (head->content_lengths > 1)
    cam_fail(&job->error, CAM_E_BODY, "Content-Length: given %d times", head->content_lengths);
  else if (head->transfer_encodings && head->content_lengths)
    cam_fail(&job->error, CAM_E_BODY, "Content-Length beside Transfer-Encoding");
  else if (head->transfer_encodings > 1 ||
           (head->transfer_encodings && strcasecmp(head->transfer_encoding, "chunked")))
    cam_fail(&job->error, CAM_E_BODY, "Transfer-Encoding: \"%.40s\"; only chunked is read",
             head->transfer_encoding);
}

/* A browser's question whether a page of another site may send this request: it carries neither key
 * nor body, so it is answered before they are looked for.
 * https://fetch.spec.whatwg.org/#http-requests. Without allow_origin it is a request like any
 * other, and OPTIONS a method that no path answers to. */
static bool is_preflight(const struct job *job, const struct head *head) {
  return job->allow_origin && head->origin && head->preflight && !strcmp(head->method, "OPTIONS");
}

static void answer_preflight(struct job *job) {
  static char nothing[1];
  job_answer(job, 204, NULL, nothing, 0, false);
  job_add_header(job, "Access-Control-Allow-Methods", job->route->method);
  job_add_header(job, "Access-Control-Allow-Headers", CORS_REQUEST_HEADERS);
  job_add_header(job, "Access-Control-Max-Age", CORS_SECONDS);
}

static void check_route(struct job *job, const struct head *head) {
  char allow[32];
  const bool preflight = is_preflight(job, head);
  const unsigned ports = head->admin                        ? PORT_ADMIN
                         : job->app->config->admin_port < 0 ? PORT_MAIN | PORT_ALONE
                                                            : PORT_MAIN;
  job->route = route_find(preflight ? head->preflight : head->method, head->path, ports, allow,
                          &job->error);
  if (job->error.code == CAM_E_METHOD) {
    job_answer_problem(job);
    job_add_header(job, "Allow", allow);
  } else if (job->error.code)
    return;
  else if (preflight && !head_has_body(head))
    answer_preflight(job);
  else if ((preflight || !job->route->takes_body) && head_has_body(head))
    cam_fail(&job->error, CAM_E_BODY, "%s takes no body", preflight ? "OPTIONS" : job->route->path);
}

/* After the route, so that /healthz stays open, and before a byte of the body. The challenge: RFC
 * 6750 section 3. */
static void check_key(struct job *job, const struct head *head) {
  if (!job->app->keys || !job->route->wants_key || head->admin)
    return; /* who may ask at the admin port is who reaches it */
  const char *given = keys_given(head->authorization, head->api_key);
  if (given && keys_find(job->app->keys, given, job->key))
    return;
  cam_fail(&job->error, CAM_E_UNAUTHORIZED,
           given ? "the key is wrong"
                 : "the key is missing: Authorization: Bearer KEY, or X-Api-Key: KEY");
  job_answer_problem(job);
  job_add_header(job, "WWW-Authenticate",
                 given ? "Bearer realm=\"camserve\", error=\"invalid_token\""
                       : "Bearer realm=\"camserve\"");
}

static void check_phase(struct job *job, const struct head *head) {
  (void)head;
  const app_phase phase = atomic_load(&job->app->phase);
  if (job->route->needs_model && (!job->generation || phase == APP_STARTING))
    cam_fail(&job->error, CAM_E_NOT_READY, "the service is starting");
  if (phase == APP_DRAINING && job->route->takes_body)
    cam_fail(&job->error, CAM_E_NOT_READY, "the service is draining");
}

static void check_length(struct job *job, const struct head *head) {
  if (!job->route->takes_body)
    return;
  if (!head->content_length && !head->transfer_encodings) {
    cam_fail(&job->error, CAM_E_LENGTH, "neither Content-Length nor Transfer-Encoding: chunked");
    return;
  }
  uint64_t most = (uint64_t)job->app->config->max_body_bytes;
  job->declared = head->content_length ? strtoull(head->content_length, NULL, 10) : 0;
  if (job->declared > most)
    cam_fail(&job->error, CAM_E_TOO_LARGE, "the body has %llu bytes; allowed are %llu",
             (unsigned long long)job->declared, (unsigned long long)most);
}

static void check_room(struct job *job, const struct head *head) {
  (void)head;
  struct queue *queue = job->app->queue;
  if (!job->route->takes_body)
    return;
  int waiting = queue_length(queue), most = queue_capacity(queue);
  if (waiting >= most)
    cam_fail(&job->error, CAM_E_BUSY, "%d requests wait already; allowed are %d", waiting, most);
}

static void check_query(struct job *job, const struct head *head) {
  if (!job->route->takes_body)
    return;
  for (int i = 0; i < head->n_query && i < HEAD_QUERY && !job->error.code; i++)
    params_set(&job->params, job->generation->model, head->query[i].name, head->query[i].value,
               &job->error);
  if (!job->error.code && head->n_query > HEAD_QUERY)
    cam_fail(&job->error, CAM_E_PARAMETER, "%d parameters; there are %d", head->n_query,
             PARAM_COUNT);
}

static void check_accept(struct job *job, const struct head *head) {
  if (!job->route->takes_body)
    return;
  job->accepted = accept_choose(head->accept);
  if (job->accepted.form == ACCEPT_NEITHER)
    cam_fail(&job->error, CAM_E_NOT_ACCEPTABLE,
             "Accept: \"%.60s\"; there are application/json, image/png and image/jpeg",
             head->accept);
}

void admit(struct job *job, const struct head *head) {
  static void (*const checks[])(struct job *, const struct head *) = {
      check_size,   check_framing, check_route, check_key,   check_phase,
      check_length, check_room,    check_query, check_accept};
  request_id_set(job->id, head->request_id);
  job->generation = generation_join(job->app);
  job->allow_origin =
      head->admin
          ? NULL
          : cors_allow(
                job->app->cors,
                head->origin); /* a page in the operator's browser reaches the admin port, too */
  if (head->traceparents == 1)
    trace_parse(head->traceparent, &job->trace); /* two are as good as none */
  snprintf(job->method, sizeof job->method, "%s", head->method);
  snprintf(job->path, sizeof job->path, "%s", head->path);
  if (strlen(head->path) >= sizeof job->path)
    job->path[0] = 0;
  for (size_t i = 0;
       i < sizeof checks / sizeof *checks && !job->error.code && !job->response.status; i++)
    checks[i](job, head);
  if (job->error.code || !head->content_type)
    return;
  job->content_type = strdup(head->content_type);
  if (!job->content_type)
    cam_fail(&job->error, CAM_E_NO_MEMORY, "no memory for the Content-Type");
}
