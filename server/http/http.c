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
#include "acceptor.h"
#include "admit.h"
#include "base/log.h"
#include "cam_clock.h"
#include "ending.h"
#include "headers.h"
#include "peer.h"
#include "request_log.h"
#include "routes.h"
#include "tls.h"
#include "watch.h"
#include "work/answer.h"
#include "work/room.h"
#include <fcntl.h>
#include <math.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTION_BYTES = 16384 /* beside the headers */ };

struct http {
  struct app *app;
  const struct access *access;
  struct terms terms;
  bool admin, tls;
  bool knows_layout;       /* this is the release whose memory head_line is about */
  struct metrics *metrics; /* the app's, or its own that nobody sees: who asks after the service is
                              none of its traffic */
  struct metrics unseen;
  struct MHD_Daemon *daemon;
  struct watch *watch;
  struct acceptor *acceptor;
  struct listener listener;
};

/* ---- what the library knows of a connection ---- */

static const union MHD_ConnectionInfo *known(struct MHD_Connection *connection,
                                             enum MHD_ConnectionInfoType what) {
  static const union MHD_ConnectionInfo nothing; /* 0 and NULL */
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, what);
  return info ? info : &nothing;
}

/* NULL: there was no memory for it, and the connection is about to end. */
static struct peer *peer_of(struct MHD_Connection *connection) {
  return known(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static struct watched *watched_of(struct MHD_Connection *connection) {
  const struct peer *peer = peer_of(connection);
  return peer ? peer->watched : NULL;
}

static void set_timeout(struct MHD_Connection *connection, int64_t seconds) {
  MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)seconds);
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

/* ---- answers ---- */

static bool add_header(void *closure, const char *name, const char *value) {
  return MHD_add_response_header(closure, name, value) == MHD_YES;
}

/* Whether the connection ends with the answer to this request. */
static bool is_last(const struct http *http, struct MHD_Connection *connection) {
  const struct app *app = http->app;
  const struct peer *peer = peer_of(connection);
  return atomic_load(&app->phase) >= APP_LEAVING || !peer ||
         peer->requests >= app->config->connection_requests;
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
  exchange->last = is_last(http, connection);
  const bool added = headers_add(exchange, add_header, out);
  if (strcmp(exchange->method, "HEAD"))
    atomic_fetch_add(&http->metrics->response_bytes, response->n);
  watch_until(http->watch, watched_of(connection), exchange_reader_due(exchange));
  watch_mark(watched_of(connection), false); /* what comes after this is another request, or none */
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
 * yet split, so a query that is far too long ends early. line NULL: there is no target. */
static void *on_request_line(void *closure, const char *line, struct MHD_Connection *connection) {
  struct http *http = closure;
  struct peer *peer = peer_of(connection);
  const bool probe = line && route_is_probe(line);
  const char *target_end = line ? line + strlen(line) : NULL;
  if (line)
    head_shorten_query((char *)(uintptr_t)line);
  if (peer)
    peer->requests++;
  set_timeout(connection, http->terms.idle_s);
  struct exchange *exchange = exchange_new(http->app, http->access);
  if (exchange && !http->admin)
    exchange_count(exchange);
  if (!peer || peer->requests == 1)
    acceptor_heard(http->acceptor, socket_of(connection)); /* after it is counted: service.c */
  if (!probe || !exchange)
    metrics_count_received(http->metrics);
  if (!exchange)
    return NULL;
  exchange->connection = connection;
  exchange->target_end = target_end;
  exchange->probe = probe;
  exchange->tls = http->tls;
  exchange->job.socket = socket_of(connection);
  exchange->job.hand_back = hand_back;
  if (peer) {
    peer_address_text(&peer->address, exchange->peer);
    exchange->first = peer->requests == 1;
  }
  watch_until(http->watch, watched_of(connection), exchange->job.deadline);
  exchange_enter_line(exchange);
  return exchange;
}

static void read_head(struct http *http, struct MHD_Connection *connection,
                      const struct exchange *exchange, const char *version, struct head *head) {
  head->admin = http->admin;
  head->n_bytes = known(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
  if (http->knows_layout)
    head_line(head, head->method, exchange->target_end, version);
  head->n_headers = MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, head);
  head_end(head);
  MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_query, head);
}

/* Whom a trusted proxy speaks for is who is logged. */
static void name_client(const struct http *http, struct MHD_Connection *connection,
                        struct exchange *exchange, const struct head *head) {
  const struct peer *peer = peer_of(connection);
  if (!peer)
    return;
  const peer_address client = proxies_client(http->access->proxies, &peer->address,
                                             head->forwarded_for);
  peer_address_text(&client, exchange->peer);
}

/* The headers have come. */
static enum MHD_Result take_head(struct http *http, struct MHD_Connection *connection,
                                 struct exchange *exchange, struct head *head) {
  const struct job *job = &exchange->job;
  const bool has_body = head_has_body(head);
  name_client(http, connection, exchange, head);
  admit(exchange, head);
  exchange->body_began = clock_seconds();
  if (job->error.code && has_body)
    return respond(http, connection, exchange, EXCHANGE_ANSWERED_EARLY);
  if (has_body)
    watch_until(http->watch, watched_of(connection), exchange_upload_due(exchange));
  exchange->state = EXCHANGE_BODY;
  if (job->error.code || job->response.status)
    exchange->state = EXCHANGE_DECIDED;
  return MHD_YES;
}

/* What is wrong with a body is answered at its end (the library takes no answer before), and the
 * rest of it is read into nothing until then, at the pace and within the time that all bodies have.
 * What is past its time is closed, and counted. */
static enum MHD_Result take_body(struct http *http, struct MHD_Connection *connection,
                                 struct exchange *exchange, const char *bytes, size_t n) {
  struct job *job = &exchange->job;
  atomic_fetch_add(&http->metrics->request_bytes, n);
  exchange->bytes_in += n;
  watch_until(http->watch, watched_of(connection), exchange_upload_due(exchange));
  if (clock_seconds() > job->deadline) {
    exchange->end = REFUSED_TOO_SLOW;
    return MHD_NO;
  }
  if (exchange->state == EXCHANGE_BODY && room_add_body(job, bytes, n, &job->error))
    exchange->state = EXCHANGE_DECIDED;
  return MHD_YES;
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
  struct http *http = closure;
  struct exchange *exchange = *state;
  const size_t n_bytes = *n;
  if (!exchange)
    return MHD_NO; /* there was no memory for it */
  if (exchange->state != EXCHANGE_LINE)
    *n = 0; /* all of them are taken */
  switch (exchange->state) {
  case EXCHANGE_LINE: {
    struct head head = {.method = method, .path = head_path(path)};
    exchange_leave_line(exchange);
    read_head(http, connection, exchange, version, &head);
    const enum MHD_Result result = take_head(http, connection, exchange, &head);
    head_clear(&head);
    return result;
  }
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

static ending ending_told(struct http *http, struct MHD_Connection *connection,
                          enum MHD_RequestTerminationCode how) {
  return (ending){
      .completed = how == MHD_REQUEST_TERMINATED_COMPLETED_OK,
      .timed_out = how == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED ||
                   watch_expired(http->watch, watched_of(connection)),
      .stopped = how == MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN,
      .library_status = library_status(connection),
  };
}

/* An answer to a body that was not read: a second descriptor keeps the socket for a moment. */
static void linger(struct http *http, struct MHD_Connection *connection) {
  const int copy = fcntl(socket_of(connection), F_DUPFD_CLOEXEC, 0);
  if (copy >= 0)
    watch_linger(http->watch, copy);
}

/* The request is over, answered or not; the last that the library tells of it. How it ended is
 * found out while exchange and connection are whole, and the log's line is written while there is
 * an exchange to tell of. Where no request can follow on this connection, bytes that still come are
 * marked as none, so that count_unread does not take them for half a request; a refused body is
 * read on by a second descriptor, since the first closes when this returns. */
static void on_completed(void *closure, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
  struct http *http = closure;
  struct exchange *exchange = *state;
  *state = NULL;
  const ending how = ending_told(http, connection, code);
  const metrics_end end = ending_count(exchange, &how, http->metrics);
  const bool early = exchange && exchange->state == EXCHANGE_ANSWERED_EARLY;
  if (!how.completed || !exchange || early)
    watch_mark(watched_of(connection), true);
  if (!exchange)
    return;
  if (early && how.completed)
    linger(http, connection);
  ending_log(exchange, end, &how);
  exchange_leave_line(exchange);
  exchange_free(exchange);
  if (how.completed)
    set_timeout(connection, http->terms.keep_alive_s);
  /* The next request on this connection: the library ends idleness, this ends a request line that
   * comes byte by byte. */
  watch_until(http->watch, watched_of(connection),
              clock_seconds() + (double)http->terms.keep_alive_s +
                  1e-3 * (double)http->app->config->request_deadline_ms);
}

/* What came was no request line, or half of one: the library has answered or closed by itself and
 * told nobody. Counted all the same. */
static void count_unread(struct http *http, const struct watched *watched) {
  if (http->tls || !watch_has_moved(watched))
    return; /* under TLS bytes come without a request, too */
  metrics_count_received(http->metrics);
  metrics_count_end(http->metrics, NULL, route_number(NULL), 0,
                    watch_expired(http->watch, watched) ? REFUSED_TOO_SLOW : REFUSED_MALFORMED);
}

/* A connection begins. Without memory for its deadline it has none to live: it ends at once. */
static struct peer *welcome(struct http *http, struct MHD_Connection *connection) {
  const int socket = socket_of(connection);
  struct peer *peer = peer_open(http->watch, socket,
                                known(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
  acceptor_opened(http->acceptor, socket);
  if (!peer) {
    shutdown(socket, SHUT_RDWR);
    return NULL;
  }
  set_timeout(connection, http->terms.idle_s);
  watch_until(http->watch, peer->watched,
              clock_seconds() + 1e-3 * (double)http->app->config->request_deadline_ms);
  return peer;
}

static void on_connection(void *closure, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what) {
  struct http *http = closure;
  struct metrics *metrics = http->metrics;
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    atomic_fetch_add(&metrics->connections, 1);
    *context = welcome(http, connection);
    return;
  }
  count_unread(http, watched_of(connection));
  peer_close(http->watch, *context);
  *context = NULL;
  acceptor_closed(http->acceptor, socket_of(connection));
  atomic_fetch_add(&metrics->connections_closed, 1);
}

/* ---- what the library says ---- */

/* The exchange whose headers the library is reading at this moment, on this thread; NULL: none. */
static struct exchange *being_read(void) {
  for (struct exchange *one = exchange_first_in_line(); one; one = one->after)
    if (MHD_get_connection_info(one->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE))
      return one;
  return NULL;
}

/* The library refuses a request whose headers it has read (a bad Content-Length, no Host). What
 * 0.9.75 would send then has all its headers twice (parse_connection_headers goes on as if it had
 * not answered). So the answer is sent here, past the library, and the socket is shut for what it
 * says itself. */
static void refuse_instead(struct http *http, struct exchange *exchange, int status) {
  struct job *job = &exchange->job;
  struct MHD_Connection *connection = exchange->connection;
  const int socket = socket_of(connection);
  const bool too_large = status == 413;
  exchange_leave_line(exchange);
  request_id_set(job->id, NULL);
  cam_fail(&job->error, too_large ? CAM_E_TOO_LARGE : CAM_E_BODY,
           "Content-Length is no number, or too large, or there is no Host");
  answer_problem(job);
  exchange->last = true;
  exchange->end = too_large ? REFUSED_TOO_LARGE : REFUSED_MALFORMED;
  exchange->state = EXCHANGE_ANSWERED_EARLY;
  size_t n = 0;
  char *text = headers_print(exchange, &n);
  if (text && http->tls)
    tls_say(known(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session, text, n);
  else if (text && send(socket, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    job->response.n = 0; /* it is gone */
  free(text);
  linger(http, connection);
  shutdown(socket, SHUT_WR);
}

static void on_log(void *closure, const char *format, va_list arguments) {
  char text[256];
  struct http *http = closure;
  int status = 0;
  vsnprintf(text, sizeof text, format, arguments);
  if (sscanf(text, "Error processing request (HTTP response code is %d", &status) == 1) {
    struct exchange *exchange = being_read();
    if (exchange)
      refuse_instead(http, exchange, status);
  }
  if (!strncmp(text, "Application reported", 20))
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

static struct MHD_Daemon *start_daemon(struct http *http) {
  const struct terms *terms = &http->terms;
  const size_t memory = (size_t)(CONNECTION_BYTES + 2 * http->app->config->max_header_bytes);
  unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                   MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
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
      flags, 0, NULL, NULL, handle, http,
      MHD_OPTION_EXTERNAL_LOGGER, on_log, http, /* first: it hears of the others' errors */
      MHD_OPTION_ARRAY, many ? pool : none,
      MHD_OPTION_ARRAY, http->tls ? tls : none,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)terms->connections + SOMAXCONN, /* acceptor.h limits */
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)terms->keep_alive_s,
      MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_URI_LOG_CALLBACK, on_request_line, http,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
      MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
      MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
      MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
      MHD_OPTION_END);
  /* clang-format on */
}

static bool take_socket(void *closure, int socket, const struct sockaddr *address, socklen_t n) {
  struct http *http = closure;
  return MHD_add_connection(http->daemon, socket, address, n) == MHD_YES;
}

static cam_code start_parts(struct http *http, cam_error *error) {
  const struct terms *terms = &http->terms;
  http->watch = watch_start();
  if (!http->watch)
    return cam_fail(error, CAM_E_NO_MEMORY, "the watching thread cannot be started");
  cam_code code = listener_bind(terms->host, (int)terms->port, &http->listener, error);
  if (code)
    return code;
  const acceptor_terms how = {.connections = terms->connections,
                              .per_address = terms->per_address,
                              .trusted = http->access->proxies,
                              .take = take_socket,
                              .closure = http,
                              .refused = &http->metrics->connections_refused};
  http->acceptor = acceptor_new(&http->listener, &how);
  if (!http->acceptor) {
    close(http->listener.socket);
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory to accept connections");
  }
  http->daemon = start_daemon(http);
  if (!http->daemon)
    return cam_fail(error, CAM_E_IO, "the HTTP server cannot be started");
  return CAM_OK;
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
  http->knows_layout = !strcmp(MHD_get_version(), "0.9.75");
  http->metrics = http->admin ? &http->unseen : &app->metrics;
  const cam_code code = start_parts(http, error);
  if (code)
    http_stop(http);
  else
    *out = http;
  return code;
}

const struct listener *http_address(const struct http *http) { return &http->listener; }

cam_code http_listen(struct http *http, cam_error *error) {
  return listener_listen(&http->listener, error);
}

cam_code http_accept(struct http *http, cam_error *error) {
  if (acceptor_start(http->acceptor))
    return CAM_OK;
  return cam_fail(error, CAM_E_NO_MEMORY, "the accepting thread cannot be started");
}

void http_refuse(struct http *http) { acceptor_stop(http->acceptor); }

int http_unheard(struct http *http) { return acceptor_unheard(http->acceptor); }

void http_stop(struct http *http) {
  if (!http)
    return;
  if (http->acceptor)
    acceptor_stop(http->acceptor);
  if (http->daemon)
    MHD_stop_daemon(http->daemon);
  acceptor_free(http->acceptor);
  watch_stop(http->watch);
  free(http);
}
