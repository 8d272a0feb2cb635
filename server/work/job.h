/* job.h - one request from its headers to its last byte, and the answer to it.
 * A job has one owner at any moment, and only the owner touches it:
 *
 *   HTTP thread  ->  queue  ->  worker  ->  the same HTTP thread
 *   made at the     waits      answer       sent, logged, freed
 *   headers                    made
 *
 * A job whose answer needs no photo never leaves its HTTP thread. The hand-overs are queue_put,
 * queue_take and hand_back. */
#ifndef JOB_H
#define JOB_H
#include "base/metrics.h"
#include "cam_clock.h"
#include "cam_engine.h"
#include "http/keys.h"
#include "wire/accept.h"
#include "wire/params.h"
#include "wire/reply.h"
#include "wire/request_id.h"
#include "wire/trace.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct app;
struct generation;
struct route;

enum { RESPONSE_HEADERS = 4 };

struct response {
  int status;       /* 0: there is no answer yet */
  const char *type; /* Content-Type; static storage; NULL: none */
  char *body;       /* n bytes */
  size_t n;
  bool owned; /* body is freed with the job, or by the HTTP library once it was sent; else it
                 outlives the server */
  int n_headers;
  struct response_header {
    const char *name;
    char value[160];
  } headers[RESPONSE_HEADERS];
};

struct job {
  struct app *app;
  const struct route *route;     /* NULL: nothing is at this path */
  struct generation *generation; /* joined when the headers had come; NULL: there was none yet, or
                                    the answer is made */
  char method[16], path[64];     /* cut where they are longer: no route is */
  char peer[48];                 /* numeric address */
  char id[REQUEST_ID_MAX + 1];
  char key[KEY_NAME_MAX +
           1]; /* name of the key it was sent with; "": none was asked for, or it was not right */
  trace trace; /* the caller's */
  bool tls;    /* it came over TLS */
  const char *allow_origin; /* what Access-Control-Allow-Origin says; NULL: it is left out */
  double began, deadline; /* seconds of CLOCK_MONOTONIC: first header line; when all must be done */
  double body_began;      /* the same: the headers were complete */

  char *content_type;    /* NULL: none */
  accepted accepted;     /* what its Accept says */
  request_params params; /* those of the query, later those of the body too */
  uint8_t *body;         /* [capacity], of which n_body came */
  size_t n_body, capacity;
  uint64_t declared; /* Content-Length; 0 if the body is chunked */
  size_t bytes_in;   /* of body, kept or not */

  cam_error error;     /* the first thing that was wrong; code CAM_OK: nothing was */
  bool answered_early; /* before its body was read */
  bool hung_up;        /* the client left while it waited: there is nobody to answer */
  metrics_end end; /* where that is known before the request is over: closed without an answer */
  struct response response;
  size_t reply_bytes; /* of it that are counted in app's */

  double queued; /* seconds of CLOCK_MONOTONIC: the body was complete */
  reply_timing timing;
  int photos, width, height; /* how many; pixels of the first that was decoded (else 0) */
  cam_format format;

  int socket;                         /* of the connection; for looking only */
  void *connection;                   /* the HTTP library's */
  void (*hand_back)(struct job *job); /* the worker is done: the HTTP thread owns the job again */
  struct job *next;                   /* in the queue */
};

/* A job owned by the caller, counted in app's open jobs; NULL: no memory. */
struct job *job_new(struct app *app);
void job_free(struct job *job); /* NULL is allowed */

/* Takes n more bytes of the body. CAM_E_TOO_LARGE, CAM_E_BUSY (all bodies together have used up
 * their memory) or CAM_E_NO_MEMORY: nothing of the body is kept. */
cam_code job_add_body(struct job *job, const void *bytes, size_t n, cam_error *error);
void job_drop_body(struct job *job); /* frees it before the job ends */
/* What is left of the job needs no model. */
void job_leave_generation(struct job *job);

/* Counts the answer's bytes, until the job ends. CAM_E_REPLY: more than one may have; CAM_E_BUSY:
 * all answers have used up their memory. */
cam_code job_count_answer(struct job *job, cam_error *error);

/* The answer: body is taken over if owned, else it must outlive the server. */
void job_answer(struct job *job, int status, const char *type, char *body, size_t n, bool owned);
void job_add_header(
    struct job *job, const char *name,
    const char *value); /* control characters and bytes above 0x7e in value become '?' */
/* Answers job->error as problem+json, with Retry-After where it is due. */
void job_answer_problem(struct job *job);

#endif
