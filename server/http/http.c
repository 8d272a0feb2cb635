/* http.c - libmicrohttpd on one side, jobs on the other; the one file that names the library
 * (0.9.75). Flow: socket -> [http] -> admit -> routes or queue -> worker -> [http] -> socket.
 * Thread: the library's, a few, with epoll. Nothing is computed here.
 *
 * A job is made at the request line. The library calls handle() at the end of the headers, for each
 * piece of the body, and at the end. It takes an answer at the first and the last of these calls
 * only, and after an answer at the first it closes the connection. So what is wrong with the
 * headers of a request with a body is answered at once; without a body it is remembered for the
 * last call, and the connection lives on.
 *
 * Hand-over: the connection is suspended BEFORE the job enters the queue, since the worker may be
 * done with it at any moment from then on. The worker makes the whole answer and resumes the
 * connection; the library then calls handle() once more on the connection's own thread, and that
 * call queues the answer. (Queuing it from the worker is allowed too, but then two threads touch
 * the connection.) A suspended connection is neither read nor timed out nor closed by the library,
 * so a job outlives no connection and no connection its job. */
#include "http.h"
#include "base/log.h"
#include "headers.h"
#include "routes.h"
#include "tls.h"
#include "watch.h"
#include "work/job.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  ADMIN_CONNECTIONS = 64,
  CONNECTION_BYTES = 16384 /* beside the headers */,
  ADMIN_IDLE_S = 150 /* longer than two scrapes */
};

struct http {
  struct app *app;
  bool admin, tls;
  int64_t idle_s;          /* a connection on which nothing moves so long is closed */
  struct metrics *metrics; /* the app's, or its own that nobody sees: who asks after the service is
                              none of its traffic */
  struct metrics unseen;
  struct MHD_Daemon *daemon;
  struct watch *watch;
  struct listener listener;
};

/* ---- what the library knows of a connection ---- */

static struct watched *watched_of(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(
      connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

static int socket_of(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                 MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

static void peer_of(struct MHD_Connection *connection, char *out, size_t room) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(
      connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  const struct sockaddr *address = info ? info->client_addr : NULL;
  out[0] = 0;
  if (address && address->sa_family == AF_INET)
    inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, out,
              (socklen_t)room);
  if (address && address->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, out,
              (socklen_t)room);
}

/* ---- answers ---- */

static bool add_header(void *closure, const char *name, const char *value) {
  return MHD_add_response_header(closure, name, value) == MHD_YES;
}

/* Sends job->response, made from job->error where there is none. MHD_NO closes the connection. */
static enum MHD_Result respond(struct http *http, struct MHD_Connection *connection,
                               struct job *job) {
  if (!job->response.status)
    job_answer_problem(job);
  struct response *response = &job->response;
  struct metrics *metrics = http->metrics;
  struct MHD_Response *out = MHD_create_response_from_buffer(
      response->n, response->body,
      response->owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
  if (!out)
    return job->end = REFUSED_NO_MEMORY, MHD_NO;
  response->owned = false; /* the library's now */
  bool added = headers_add(job, add_header, out);
  if (strcmp(job->method, "HEAD"))
    atomic_fetch_add(&metrics->response_bytes, response->n);
  /* A reader may be slow, but not slower than this: what it does not read is kept in memory. */
  const config *settings = http->app->config;
  const double allowed_s = 1e-3 * (double)settings->request_deadline_ms +
                           (double)response->n / (double)settings->download_bytes_per_s;
  watch_until(http->watch, watched_of(connection), clock_seconds() + allowed_s);
  watch_mark(watched_of(connection), false); /* what comes after this is another request, or none */
  log_request(job, NULL);
  enum MHD_Result result = added ? MHD_queue_response(connection, (unsigned)response->status, out)
                                 : MHD_NO;
  if (result == MHD_NO)
    job->end = REFUSED_NO_MEMORY;
  MHD_destroy_response(out);
  return result;
}

/* ---- the three calls of one request ---- */

static enum MHD_Result take_header(void *closure, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
  struct head *head = closure;
  const char *host;
  /* RFC 9110 section 5.6.2 */
  static const char token[] =
      "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const struct {
    const char *name;
    const char **value;
    int *count;
  } wanted[] = {
      {"Accept", &head->accept, NULL},
      {"Content-Type", &head->content_type, NULL},
      {"X-Request-Id", &head->request_id, NULL},
      {"Content-Length", &head->content_length, &head->content_lengths},
      {"Transfer-Encoding", &head->transfer_encoding, &head->transfer_encodings},
      {"Authorization", &head->authorization, NULL},
      {"X-Api-Key", &head->api_key, NULL},
      {"traceparent", &head->traceparent, &head->traceparents},
      {"Host", &host, &head->hosts},
      {"Origin", &head->origin, NULL},
      {"Access-Control-Request-Method", &head->preflight, NULL},
  };
  (void)kind;
  head->bad_names += !*name || name[strspn(name, token)];
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    if (!strcasecmp(name, wanted[i].name)) {
      *wanted[i].value = value;
      if (wanted[i].count)
        ++*wanted[i].count;
    }
  return MHD_YES;
}

static enum MHD_Result take_query(void *closure, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
  struct head *head = closure;
  (void)kind;
  if (head->n_query < HEAD_QUERY) {
    head->query[head->n_query].name = name;
    head->query[head->n_query].value = value ? value : "";
  }
  head->n_query++;
  return MHD_YES;
}

/* The job is resumed by its worker: from MHD_resume_connection on it belongs to the connection's
 * thread. */
static void hand_back(struct job *job) { MHD_resume_connection(job->connection); }

/* More query parameters than fit the connection's memory make 0.9.75 lose its place: it neither
 * answers nor closes. The line is still the library's buffer here, not yet split, so a query that
 * is far too long ends early; admit() refuses what is left. */
static void shorten_query(char *line) {
  int parameters = 0;
  for (char *at = line ? strchr(line, '?') : NULL; at && *at; at++)
    if (*at == '&' && ++parameters > 4 * HEAD_QUERY)
      *at = 0;
}

/* The request line has come. */
static void *on_request_line(void *closure, const char *line, struct MHD_Connection *connection) {
  struct http *http = closure;
  shorten_query((char *)(uintptr_t)line);
  metrics_count_received(http->metrics);
  struct job *job = job_new(http->app);
  if (!job)
    return NULL;
  job->began = clock_seconds();
  job->deadline = job->began + 1e-3 * (double)http->app->config->request_deadline_ms;
  job->connection = connection;
  job->socket = socket_of(connection);
  job->tls = http->tls;
  job->hand_back = hand_back;
  peer_of(connection, job->peer, sizeof job->peer);
  watch_until(http->watch, watched_of(connection), job->deadline);
  return job;
}

/* A body that comes at less than upload_bytes_per_s, but for upload_grace_ms, is closed when what
 * came of it should have come at the latest, and so is what is late for the whole request. */
static void watch_upload(struct http *http, struct MHD_Connection *connection,
                         const struct job *job) {
  const config *settings = http->app->config;
  if (!settings->upload_bytes_per_s)
    return;
  const double due = job->body_began + 1e-3 * (double)settings->upload_grace_ms +
                     (double)job->bytes_in / (double)settings->upload_bytes_per_s;
  watch_until(http->watch, watched_of(connection), fmin(due, job->deadline));
}

/* The headers have come. */
static enum MHD_Result begin(struct http *http, struct MHD_Connection *connection, const char *path,
                             const char *method, struct job *job) {
  struct head head = {.method = method, .path = path, .admin = http->admin};
  const union MHD_ConnectionInfo *size = MHD_get_connection_info(
      connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  head.n_bytes = size ? size->header_size : 0;
  head.n_headers = MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, &head);
  MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_query, &head);
  admit(job, &head);
  job->body_began = clock_seconds();
  if (!job->error.code && head_has_body(&head))
    watch_upload(http, connection, job);
  if (!job->error.code || !head_has_body(&head))
    return MHD_YES;
  job->answered_early = true;
  return respond(http, connection, job);
}

/* A body that grows past the limit or past its time cannot be answered here: it is closed, and
 * counted. */
static enum MHD_Result take_body(struct http *http, struct MHD_Connection *connection,
                                 struct job *job, const char *bytes, size_t n) {
  atomic_fetch_add(&http->metrics->request_bytes, n);
  job->bytes_in += n;
  watch_upload(http, connection, job);
  if (clock_seconds() > job->deadline)
    return job->end = REFUSED_TOO_SLOW, MHD_NO;
  if (job->error.code)
    return MHD_YES; /* answered when the rest of the body has been read into nothing */
  if (job_add_body(job, bytes, n, &job->error) != CAM_E_TOO_LARGE)
    return MHD_YES;
  return job->end = REFUSED_TOO_LARGE, MHD_NO;
}

static enum MHD_Result finish(struct http *http, struct MHD_Connection *connection,
                              struct job *job) {
  if (job->hung_up)
    return MHD_NO;
  if (job->response.status || job->error.code)
    return respond(http, connection, job);
  if (job->route->make) {
    job->route->make(job);
    return respond(http, connection, job);
  }
  watch_until(http->watch, watched_of(connection),
              INFINITY); /* the worker keeps the deadline from here on */
  job->queued = clock_seconds();
  MHD_suspend_connection(connection);
  cam_code code = queue_put(http->app->queue, job);
  if (!code)
    return MHD_YES; /* the queue owns the job: not a look at it from here on */
  if (code == CAM_E_BUSY)
    cam_fail(&job->error, code, "%d requests wait already; allowed are %d",
             queue_capacity(http->app->queue), queue_capacity(http->app->queue));
  else
    cam_fail(&job->error, code, "the service is draining");
  MHD_resume_connection(connection); /* handle() is called again and answers the error */
  return MHD_YES;
}

static enum MHD_Result handle(void *closure, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *bytes, size_t *n,
                              void **state) {
  (void)version;
  struct job *job = *state;
  if (!job)
    return MHD_NO; /* there was no memory for it */
  if (!job->id[0])
    return begin(closure, connection, path, method, job);
  if (!*n)
    return finish(closure, connection, job);
  enum MHD_Result result = take_body(closure, connection, job, bytes, *n);
  *n = 0;
  return result;
}

/* ---- beginnings and ends ---- */

/* The status of an answer that the library gave by itself; 0: none. Meant for requests that have
 * none of ours. */
static int library_status(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                 MHD_CONNECTION_INFO_HTTP_STATUS);
  return info ? (int)info->http_status : 0;
}

static metrics_end end_of(struct http *http, struct MHD_Connection *connection,
                          const struct job *job, enum MHD_RequestTerminationCode how) {
  if (!job)
    return REFUSED_NO_MEMORY;
  if (job->end)
    return job->end;
  if (job->response.status && how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
    return metrics_end_of(job->error.code, job->route && job->route->takes_body);
  if (job->response.status)
    return ABANDONED_SENDING;
  if (job->hung_up)
    return ABANDONED_QUEUED;
  if (how == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED ||
      watch_expired(http->watch, watched_of(connection)))
    return REFUSED_TOO_SLOW;
  if (how == MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN)
    return REFUSED_NOT_READY;
  const int status = library_status(connection);
  return !status                          ? ABANDONED_RECEIVING
         : status == 413 || status == 431 ? REFUSED_TOO_LARGE
                                          : REFUSED_MALFORMED;
}

/* What the log says of a request without a whole answer; NULL: nothing more. */
static const char *words_for(metrics_end end) {
  static const char *const words[END_COUNT] = {
      [REFUSED_TOO_LARGE] = "closed: too large",
      [REFUSED_TOO_SLOW] = "closed: too slow",
      [REFUSED_NO_MEMORY] = "closed: no memory",
      [REFUSED_MALFORMED] = "closed: not HTTP",
      [REFUSED_NOT_READY] = "closed: the service stopped",
      [ABANDONED_RECEIVING] = "client left while it was read",
      [ABANDONED_QUEUED] = "client left while it waited",
      [ABANDONED_SENDING] = "cut off while it was sent",
  };
  return words[end];
}

/* The request is over, answered or not. An answer to a body that was not read: the socket is kept
 * for a moment, by a second descriptor. */
static void on_completed(void *closure, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how) {
  struct http *http = closure;
  struct job *job = *state;
  *state = NULL;
  const metrics_end end = end_of(http, connection, job, how);
  const int status = !job                   ? 0
                     : job->response.status ? job->response.status
                                            : library_status(connection);
  metrics_count_end(http->metrics, route_number(job ? job->route : NULL), status, end);
  if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK || !job || job->answered_early)
    watch_mark(watched_of(connection), true);
  if (!job)
    return;
  if (job->answered_early && how == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
    int copy = fcntl(socket_of(connection), F_DUPFD_CLOEXEC, 0);
    if (copy >= 0)
      watch_linger(http->watch, copy);
  }
  if (end == REFUSED_TOO_SLOW && !job->error.code)
    cam_fail(&job->error, CAM_E_DEADLINE, "%zu bytes of the body in %.0f ms", job->bytes_in,
             1e3 * (clock_seconds() - job->began));
  if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK || !job->response.status)
    log_request(job, words_for(end));
  job_free(job);
  /* The next request on this connection: the library ends idleness, this ends a request line that
   * comes byte by byte. */
  watch_until(http->watch, watched_of(connection),
              clock_seconds() + (double)http->idle_s +
                  1e-3 * (double)http->app->config->request_deadline_ms);
}

/* What came was no request line, or half of one: the library has answered or closed by itself and
 * told nobody. Counted all the same. */
static void count_unread(struct http *http, const struct watched *watched) {
  if (http->tls || !watch_has_moved(watched))
    return; /* under TLS bytes come without a request, too */
  metrics_count_received(http->metrics);
  metrics_count_end(http->metrics, route_number(NULL), 0,
                    watch_expired(http->watch, watched) ? REFUSED_TOO_SLOW : REFUSED_MALFORMED);
}

static void on_connection(void *closure, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what) {
  struct http *http = closure;
  struct metrics *metrics = http->metrics;
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    atomic_fetch_add(&metrics->connections, 1);
    *context = watch_open(http->watch, socket_of(connection));
    watch_until(http->watch, *context,
                clock_seconds() + 1e-3 * (double)http->app->config->request_deadline_ms);
  } else {
    count_unread(http, *context);
    watch_close(http->watch, *context);
    *context = NULL;
    atomic_fetch_add(&metrics->connections_closed, 1);
  }
}

/* While draining, callers are let in no more (but at the admin port): they hear so at once.
 * MHD_quiesce_daemon would be the library's way, but under epoll it and the HTTP threads take the
 * listening socket out of the same set without a lock; who comes second ends the process (0.9.75:
 * "Failed to remove listen FD"). */
static enum MHD_Result on_accept(void *closure, const struct sockaddr *address, socklen_t n) {
  const struct http *http = closure;
  (void)address, (void)n;
  if (http->admin || atomic_load(&http->app->phase) != APP_DRAINING)
    return MHD_YES;
  atomic_fetch_add(&http->metrics->connections_refused, 1);
  return MHD_NO;
}

/* accept(2) failed, for want of descriptors or memory: the library (0.9.75) tries again at once on
 * a thread without a connection, for ever, with two lines each time: a whole processor, and 5 MB of
 * log a second. That thread has nobody to serve, so it waits here instead; one line a second is
 * enough. */
static bool is_accept_failure(const char *text) {
  static _Atomic double quiet_until;
  const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
  const bool limit = !strncmp(text, "Hit process or system resource limit", 36);
  if (limit && strstr(text, "at FIRST connection"))
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
  if (limit || strncmp(text, "Error accepting connection", 26))
    return limit;
  const double now = clock_seconds();
  if (now < atomic_load(&quiet_until))
    return true;
  atomic_store(&quiet_until, now + 1);
  return false;
}

static void on_log(void *closure, const char *format, va_list arguments) {
  char text[256];
  const struct http *http = closure;
  vsnprintf(text, sizeof text, format, arguments);
  if (!strncmp(text, "Server reached connection limit",
               31)) { /* one address has too many: a line each would fill the disk for it */
    atomic_fetch_add(&http->metrics->connections_refused, 1);
    return;
  }
  if (is_accept_failure(text))
    return;
  if (!strncmp(text, "Application reported", 20) ||
      !strncmp(text, "Connection rejected by app", 26))
    return; /* that is us, who knows why */
  if (strstr(text, "handshake"))
    log_event("http", "a TLS handshake failed"); /* the library's words are "received handshake
                                                    message out of context" */
  else
    log_event("http", "%s", text);
}

static int hex(char c) {
  return c >= '0' && c <= '9'                 ? c - '0'
         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                              : -1;
}

/* %41 -> A in place. %00 becomes the byte 1, which no route and no value has: a NUL would cut the
 * text there and "/healthz%00x" be /healthz. */
static size_t unescape(void *closure, struct MHD_Connection *connection, char *text) {
  (void)closure, (void)connection;
  char *out = text;
  for (const char *in = text; *in; in++) {
    int high = *in == '%' ? hex(in[1]) : -1, low = high >= 0 ? hex(in[2]) : -1;
    if (low < 0)
      *out++ = *in;
    else {
      *out++ = (char)(high * 16 + low ? high * 16 + low : 1);
      in += 2;
    }
  }
  *out = 0;
  return (size_t)(out - text);
}

/* ---- start and stop ---- */

cam_code http_start(struct app *app, http_side side, struct http **out, cam_error *error) {
  const config *settings = app->config;
  const bool admin = side == HTTP_ADMIN;
  const int64_t n_threads = admin ? 1 : settings->http_threads,
                connections = admin ? ADMIN_CONNECTIONS : settings->connections;
  const int64_t per_address = admin ? ADMIN_CONNECTIONS : settings->connections_per_ip;
  *out = NULL;
  struct http *http = calloc(1, sizeof *http);
  if (!http)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the HTTP server");
  http->app = app;
  http->admin = admin;
  http->tls = app->tls && !admin;
  http->idle_s = admin && settings->idle_timeout_s < ADMIN_IDLE_S ? ADMIN_IDLE_S
                                                                  : settings->idle_timeout_s;
  http->metrics = admin ? &http->unseen : &app->metrics;
  http->listener.socket = -1;
  http->watch = watch_start();
  const char *host = admin ? settings->admin_host : settings->host;
  const int port = (int)(admin ? settings->admin_port : settings->port);
  cam_code code = http->watch
                      ? listener_open(host, port, &http->listener, error)
                      : cam_fail(error, CAM_E_NO_MEMORY, "the watching thread cannot be started");
  if (code) {
    http_stop(http);
    return code;
  }
  bool pool = n_threads > 1; /* one thread is no pool to the library */
  struct MHD_OptionItem threads[] = {
      {pool ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)n_threads, NULL},
      {MHD_OPTION_END, 0, NULL}};
  struct MHD_OptionItem tls[] = {
      {http->tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, 0,
       (void *)(uintptr_t)tls_certificate_callback},
      {MHD_OPTION_HTTPS_PRIORITIES, 0, (char *)(uintptr_t)tls_priorities},
      {MHD_OPTION_END, 0, NULL}};
  http->daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
          (http->listener.v6 ? MHD_USE_IPv6 : 0) | (http->tls ? MHD_USE_TLS : 0),
      0, on_accept, http, handle, http, MHD_OPTION_EXTERNAL_LOGGER, on_log,
      http, /* first: it hears of the others' errors */
      MHD_OPTION_LISTEN_SOCKET, http->listener.socket, MHD_OPTION_ARRAY, threads, MHD_OPTION_ARRAY,
      tls, MHD_OPTION_CONNECTION_LIMIT, (unsigned)connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
      (unsigned)per_address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t)(CONNECTION_BYTES + 2 * settings->max_header_bytes), MHD_OPTION_CONNECTION_TIMEOUT,
      (unsigned)http->idle_s, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
      on_request_line, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
      MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_UNESCAPE_CALLBACK, unescape,
      NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
  if (!http->daemon) {
    http_stop(http);
    return cam_fail(error, CAM_E_IO, "the HTTP server cannot be started");
  }
  *out = http;
  return CAM_OK;
}

const struct listener *http_listener(const struct http *http) { return &http->listener; }

void http_stop(struct http *http) {
  if (!http)
    return;
  if (http->daemon)
    MHD_stop_daemon(http->daemon);
  if (http->listener.socket >= 0 && !http->daemon)
    close(http->listener.socket);
  watch_stop(http->watch);
  free(http);
}
