/* http.c - libmicrohttpd on one side, exchanges on the other; the one file that names the library
 * (0.9.75). Flow: socket -> [http] -> admit -> routes or queue -> worker -> [http] -> socket.
 * Thread: the library's, a few, with epoll. Nothing is computed here.
 *
 * The library calls on_request_line() at the end of a request's line, then handle() at the end of
 * its headers, for each piece of its body, and at its end; what each call does depends on the
 * exchange's state (exchange.h), and handle() is one switch over it. It takes an answer at the
 * first and the last of these calls only, and after an answer at the first it closes the
 * connection. So what is wrong with the headers of a request with a body is answered at once;
 * without a body it is remembered for the last call, and the connection lives on.
 *
 * Hand-over: the connection is suspended BEFORE the job enters the queue, since the worker may be
 * done with it at any moment from then on. The worker makes the whole answer and resumes the
 * connection; the library then calls handle() once more on the connection's own thread, and that
 * call queues the answer. (Queuing it from the worker is allowed too, but then two threads touch
 * the connection.) A suspended connection is neither read nor timed out nor closed by the library,
 * so a job outlives no connection and no connection its job. */
#include "http.h"
#include "admit.h"
#include "base/log.h"
#include "cam_clock.h"
#include "ending.h"
#include "headers.h"
#include "request_log.h"
#include "routes.h"
#include "tls.h"
#include "watch.h"
#include "work/answer.h"
#include "work/room.h"
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
  CONNECTION_BYTES = 16384, /* beside the headers */
  ADMIN_IDLE_S = 150        /* longer than two scrapes */
};

/* What the settings say of a port. */
struct terms {
  const char *host;
  int64_t port, threads, connections, per_address;
  int64_t idle_s; /* a connection on which nothing moves so long is closed */
};

struct http {
  struct app *app;
  const struct access *access;
  struct terms terms;
  bool admin, tls;
  struct metrics *metrics; /* the app's, or its own that nobody sees: who asks after the service is
                              none of its traffic */
  struct metrics unseen;
  struct MHD_Daemon *daemon;
  struct watch *watch;
  struct listener listener;
};

/* ---- what the library knows of a connection ---- */

static const union MHD_ConnectionInfo *known(struct MHD_Connection *connection,
                                             enum MHD_ConnectionInfoType what) {
  static const union MHD_ConnectionInfo nothing; /* 0 and NULL */
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, what);
  return info ? info : &nothing;
}

static struct watched *watched_of(struct MHD_Connection *connection) {
  return known(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static int socket_of(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                 MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

/* The status of an answer that the library gave by itself; 0: none. Meant for requests that have
 * none of ours. */
static int library_status(struct MHD_Connection *connection) {
  return (int)known(connection, MHD_CONNECTION_INFO_HTTP_STATUS)->http_status;
}

static void peer_of(struct MHD_Connection *connection, char *out, size_t room) {
  const struct sockaddr *address =
      known(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
  const void *bytes = NULL;
  out[0] = 0;
  if (address && address->sa_family == AF_INET)
    bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
  if (address && address->sa_family == AF_INET6)
    bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
  if (bytes)
    inet_ntop(address->sa_family, bytes, out, (socklen_t)room);
}

/* ---- answers ---- */

static bool add_header(void *closure, const char *name, const char *value) {
  return MHD_add_response_header(closure, name, value) == MHD_YES;
}

/* A reader may be slow, but not slower than this: what it does not read is kept in memory. */
static void watch_reader(struct http *http, struct MHD_Connection *connection, size_t n) {
  const config *settings = http->app->config;
  const double allowed_s = 1e-3 * (double)settings->request_deadline_ms +
                           (double)n / (double)settings->download_bytes_per_s;
  watch_until(http->watch, watched_of(connection), clock_seconds() + allowed_s);
  watch_mark(watched_of(connection), false); /* what comes after this is another request, or none */
}

/* Gives the library the answer; one is made of job.error where there is none yet. MHD_NO closes the
 * connection. */
static enum MHD_Result respond(struct http *http, struct MHD_Connection *connection,
                               struct exchange *exchange, exchange_state next) {
  struct job *job = &exchange->job;
  if (!job->response.status)
    answer_problem(job);
  struct response *response = &job->response;
  struct MHD_Response *out = MHD_create_response_from_buffer(
      response->n, response->body,
      response->owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
  if (!out) {
    exchange->end = REFUSED_NO_MEMORY;
    return MHD_NO;
  }
  response->owned = false; /* the library's from here on */
  const bool added = headers_add(exchange, add_header, out);
  if (strcmp(exchange->method, "HEAD"))
    atomic_fetch_add(&http->metrics->response_bytes, response->n);
  watch_reader(http, connection, response->n);
  log_request(exchange, NULL);
  enum MHD_Result result = MHD_NO;
  if (added)
    result = MHD_queue_response(connection, (unsigned)response->status, out);
  if (result == MHD_NO)
    exchange->end = REFUSED_NO_MEMORY;
  MHD_destroy_response(out);
  exchange->state = next;
  return result;
}

/* ---- a request, call by call ---- */

static enum MHD_Result take_header(void *closure, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
  (void)kind;
  head_add_header(closure, name, value);
  return MHD_YES;
}

static enum MHD_Result take_query(void *closure, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
  (void)kind;
  head_add_query(closure, name, value);
  return MHD_YES;
}

/* The job is resumed by its worker: from MHD_resume_connection on it belongs to the connection's
 * thread. */
static void hand_back(struct job *job) { MHD_resume_connection(exchange_of(job)->connection); }

/* The request line has come. More query parameters than fit the connection's memory make 0.9.75
 * lose its place: it neither answers nor closes. The line is still the library's buffer here, not
 * yet split, so a query that is far too long ends early. */
static void *on_request_line(void *closure, const char *line, struct MHD_Connection *connection) {
  struct http *http = closure;
  if (line)
    head_shorten_query((char *)(uintptr_t)line);
  metrics_count_received(http->metrics);
  struct exchange *exchange = exchange_new(http->app, http->access);
  if (!exchange)
    return NULL;
  exchange->connection = connection;
  exchange->tls = http->tls;
  exchange->job.socket = socket_of(connection);
  exchange->job.hand_back = hand_back;
  peer_of(connection, exchange->peer, sizeof exchange->peer);
  watch_until(http->watch, watched_of(connection), exchange->job.deadline);
  return exchange;
}

/* A body that comes at less than upload_bytes_per_s, but for upload_grace_ms, is closed when what
 * came of it should have come at the latest, and so is what is late for the whole request. */
static void watch_upload(struct http *http, struct MHD_Connection *connection,
                         const struct exchange *exchange) {
  const config *settings = http->app->config;
  if (!settings->upload_bytes_per_s)
    return;
  const double due = exchange->body_began + 1e-3 * (double)settings->upload_grace_ms +
                     (double)exchange->bytes_in / (double)settings->upload_bytes_per_s;
  watch_until(http->watch, watched_of(connection), fmin(due, exchange->job.deadline));
}

/* The headers have come. */
static enum MHD_Result take_head(struct http *http, struct MHD_Connection *connection,
                                 struct exchange *exchange, const char *path, const char *method) {
  struct head head = {.method = method, .path = path, .admin = http->admin};
  head.n_bytes = known(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
  head.n_headers = MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, &head);
  MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_query, &head);
  const struct job *job = &exchange->job;
  const bool has_body = head_has_body(&head);
  admit(exchange, &head);
  exchange->body_began = clock_seconds();
  if (job->error.code && has_body)
    return respond(http, connection, exchange, EXCHANGE_ANSWERED_EARLY);
  if (has_body)
    watch_upload(http, connection, exchange);
  exchange->state = EXCHANGE_BODY;
  if (job->error.code || job->response.status)
    exchange->state = EXCHANGE_DECIDED;
  return MHD_YES;
}

/* A body that grows past the limit or past its time cannot be answered here: it is closed, and
 * counted. */
static enum MHD_Result take_body(struct http *http, struct MHD_Connection *connection,
                                 struct exchange *exchange, const char *bytes, size_t n) {
  struct job *job = &exchange->job;
  atomic_fetch_add(&http->metrics->request_bytes, n);
  exchange->bytes_in += n;
  watch_upload(http, connection, exchange);
  if (clock_seconds() > job->deadline) {
    exchange->end = REFUSED_TOO_SLOW;
    return MHD_NO;
  }
  if (exchange->state == EXCHANGE_DECIDED)
    return MHD_YES;
  switch (room_add_body(job, bytes, n, &job->error)) {
  case CAM_OK:
    return MHD_YES;
  case CAM_E_TOO_LARGE:
    exchange->end = REFUSED_TOO_LARGE;
    return MHD_NO;
  default:
    exchange->state = EXCHANGE_DECIDED;
    return MHD_YES;
  }
}

/* The whole request has come, and a worker is to answer it: it keeps the deadline from here on. */
static enum MHD_Result enqueue(struct http *http, struct MHD_Connection *connection,
                               struct exchange *exchange) {
  watch_until(http->watch, watched_of(connection), INFINITY);
  exchange->job.queued = clock_seconds();
  exchange->state = EXCHANGE_QUEUED;
  MHD_suspend_connection(connection);
  if (room_enqueue(&exchange->job))
    MHD_resume_connection(connection); /* handle() is called again, and answers the error */
  return MHD_YES;
}

static enum MHD_Result take_end(struct http *http, struct MHD_Connection *connection,
                                struct exchange *exchange) {
  const struct route *route = exchange->route;
  if (!route->make)
    return enqueue(http, connection, exchange);
  route->make(exchange);
  return respond(http, connection, exchange, EXCHANGE_ANSWERED);
}

static enum MHD_Result handle(void *closure, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *bytes, size_t *n,
                              void **state) {
  (void)version;
  struct http *http = closure;
  struct exchange *exchange = *state;
  const size_t n_bytes = *n;
  if (!exchange)
    return MHD_NO; /* there was no memory for it */
  if (exchange->state != EXCHANGE_LINE)
    *n = 0; /* all of them are taken */
  switch (exchange->state) {
  case EXCHANGE_LINE:
    return take_head(http, connection, exchange, path, method);
  case EXCHANGE_BODY:
    if (n_bytes)
      return take_body(http, connection, exchange, bytes, n_bytes);
    return take_end(http, connection, exchange);
  case EXCHANGE_DECIDED:
    if (n_bytes)
      return take_body(http, connection, exchange, bytes, n_bytes);
    return respond(http, connection, exchange, EXCHANGE_ANSWERED);
  case EXCHANGE_QUEUED:
    if (exchange->job.hung_up)
      return MHD_NO;
    return respond(http, connection, exchange, EXCHANGE_ANSWERED);
  case EXCHANGE_ANSWERED:
  case EXCHANGE_ANSWERED_EARLY:
    break;
  }
  return MHD_NO; /* the library asks for no second answer */
}

/* ---- the end of a request, the ends of a connection ---- */

static struct ending ending_told(struct http *http, struct MHD_Connection *connection,
                                 enum MHD_RequestTerminationCode how) {
  return (struct ending){
      .completed = how == MHD_REQUEST_TERMINATED_COMPLETED_OK,
      .timed_out = how == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED ||
                   watch_expired(http->watch, watched_of(connection)),
      .stopped = how == MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN,
      .library_status = library_status(connection),
  };
}

/* An answer to a body that was not read: the socket is kept for a moment, by a second descriptor.
 */
static void linger(struct http *http, struct MHD_Connection *connection) {
  const int copy = fcntl(socket_of(connection), F_DUPFD_CLOEXEC, 0);
  if (copy >= 0)
    watch_linger(http->watch, copy);
}

static void log_end(struct exchange *exchange, metrics_end end, const ending *how) {
  struct job *job = &exchange->job;
  if (end == REFUSED_TOO_SLOW && !job->error.code)
    cam_fail(&job->error, CAM_E_DEADLINE, "%zu bytes of the body in %.0f ms", exchange->bytes_in,
             1e3 * (clock_seconds() - job->began));
  if (!how->completed || !job->response.status)
    log_request(exchange, ending_words(end));
}

/* The request is over, answered or not. */
static void on_completed(void *closure, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
  struct http *http = closure;
  struct exchange *exchange = *state;
  *state = NULL;
  const ending how = ending_told(http, connection, code);
  const metrics_end end = ending_of(exchange, &how);
  const bool early = exchange && exchange->state == EXCHANGE_ANSWERED_EARLY;
  int status = 0;
  if (exchange && exchange->job.response.status)
    status = exchange->job.response.status;
  else if (exchange)
    status = how.library_status;
  metrics_count_end(http->metrics, route_number(exchange ? exchange->route : NULL), status, end);
  if (!how.completed || !exchange || early)
    watch_mark(watched_of(connection), true);
  if (!exchange)
    return;
  if (early && how.completed)
    linger(http, connection);
  log_end(exchange, end, &how);
  exchange_free(exchange);
  /* The next request on this connection: the library ends idleness, this ends a request line that
   * comes byte by byte. */
  watch_until(http->watch, watched_of(connection),
              clock_seconds() + (double)http->terms.idle_s +
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
  (void)address;
  (void)n;
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
  if (!strncmp(text, "Server reached connection limit", 31)) {
    /* one address has too many: a line each would fill the disk for it */
    atomic_fetch_add(&http->metrics->connections_refused, 1);
    return;
  }
  if (is_accept_failure(text))
    return;
  if (!strncmp(text, "Application reported", 20) ||
      !strncmp(text, "Connection rejected by app", 26))
    return;                      /* that is us, who knows why */
  if (strstr(text, "handshake")) /* its words are "received handshake message out of context" */
    log_event("http", "a TLS handshake failed");
  else
    log_event("http", "%s", text);
}

static size_t unescape(void *closure, struct MHD_Connection *connection, char *text) {
  (void)closure;
  (void)connection;
  return head_unescape(text);
}

/* ---- start and stop ---- */

static struct terms terms_of(const config *settings, http_side side) {
  if (side == HTTP_MAIN)
    return (struct terms){.host = settings->host,
                          .port = settings->port,
                          .threads = settings->http_threads,
                          .connections = settings->connections,
                          .per_address = settings->connections_per_ip,
                          .idle_s = settings->idle_timeout_s};
  return (struct terms){.host = settings->admin_host,
                        .port = settings->admin_port,
                        .threads = 1,
                        .connections = ADMIN_CONNECTIONS,
                        .per_address = ADMIN_CONNECTIONS,
                        .idle_s = settings->idle_timeout_s > ADMIN_IDLE_S ? settings->idle_timeout_s
                                                                          : ADMIN_IDLE_S};
}

static struct MHD_Daemon *start_daemon(struct http *http) {
  const struct terms *terms = &http->terms;
  const size_t memory = (size_t)(CONNECTION_BYTES + 2 * http->app->config->max_header_bytes);
  unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  if (http->listener.v6)
    flags |= MHD_USE_IPv6;
  if (http->tls)
    flags |= MHD_USE_TLS;
  struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)terms->threads, NULL},
                                  {MHD_OPTION_END, 0, NULL}};
  struct MHD_OptionItem tls[] = {
      {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)tls_certificate_callback},
      {MHD_OPTION_HTTPS_PRIORITIES, 0, (char *)(uintptr_t)tls_priorities},
      {MHD_OPTION_END, 0, NULL}};
  struct MHD_OptionItem *none = &pool[1];
  const bool many = terms->threads > 1; /* one thread is no pool to the library */
  /* clang-format off */
  return MHD_start_daemon(
      flags, 0, on_accept, http, handle, http,
      MHD_OPTION_EXTERNAL_LOGGER, on_log, http, /* first: it hears of the others' errors */
      MHD_OPTION_LISTEN_SOCKET, http->listener.socket,
      MHD_OPTION_ARRAY, many ? pool : none,
      MHD_OPTION_ARRAY, http->tls ? tls : none,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)terms->connections,
      MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)terms->per_address,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)terms->idle_s,
      MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_URI_LOG_CALLBACK, on_request_line, http,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
      MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
      MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
      MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
      MHD_OPTION_END);
  /* clang-format on */
}

cam_code http_start(struct app *app, const struct access *access, http_side side, struct http **out,
                    cam_error *error) {
  *out = NULL;
  struct http *http = calloc(1, sizeof *http);
  if (!http)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the HTTP server");
  http->app = app;
  http->access = access;
  http->terms = terms_of(app->config, side);
  http->admin = side == HTTP_ADMIN;
  http->tls = access->tls && !http->admin;
  http->metrics = http->admin ? &http->unseen : &app->metrics;
  http->listener.socket = -1;
  cam_code code = CAM_OK;
  http->watch = watch_start();
  if (!http->watch)
    code = cam_fail(error, CAM_E_NO_MEMORY, "the watching thread cannot be started");
  if (!code)
    code = listener_open(http->terms.host, (int)http->terms.port, &http->listener, error);
  if (!code) {
    http->daemon = start_daemon(http);
    if (!http->daemon)
      code = cam_fail(error, CAM_E_IO, "the HTTP server cannot be started");
  }
  if (code)
    http_stop(http);
  else
    *out = http;
  return code;
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
