/* job.h - one request as the rooms behind HTTP see it, from its headers to its last byte, and the
 * answer to it. A job has one owner at any moment, and only the owner touches it:
 *
 *   HTTP thread  ->  queue  ->  worker  ->  the same HTTP thread
 *   made at the     waits      answer       sent, logged, freed
 *   headers                    made
 *
 * A job whose answer needs no photo never leaves its HTTP thread. The hand-overs are room_enqueue,
 * queue_take and hand_back. Implemented in server/work/job.c; its memory is counted by room.h. */
#ifndef JOB_H
#define JOB_H
#include "cam_engine.h"
#include "space.h"
#include "wire/accept.h"
#include "wire/params.h"
#include "wire/protocol.h"
#include "wire/reply.h"
#include "wire/request_id.h"
#include "wire/request_photos.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app;
struct generation;
struct metrics_model;
struct served;

enum { RESPONSE_HEADERS = 4, RESPONSE_VALUE_MAX = 160 };

struct response_header {
  const char *name;
  char value[RESPONSE_VALUE_MAX];
};

struct response {
  int status;       /* 0: there is no answer yet */
  const char *type; /* Content-Type; static storage; NULL: none */
  char *body;       /* n bytes */
  size_t n;
  bool owned; /* body is freed with the job, or by the HTTP library once it was sent; else it
                 outlives the server */
  int n_headers;
  struct response_header headers[RESPONSE_HEADERS];
};

struct job {
  struct app *app;
  struct generation *generation; /* joined when the headers had come; NULL: there was none yet, or
                                    the answer is made */
  const struct served *served;   /* the one of its models that it is for; NULL: not known yet, or
                                    the answer is made */
  struct metrics_model *counts;  /* of that model, for good; NULL: none was found for it */
  char id[REQUEST_ID_MAX + 1];   /* "": the headers have not come */
  double began, deadline; /* seconds of CLOCK_MONOTONIC: first header line; when all must be done */

  const protocol *protocol; /* what it speaks */
  char *content_type;       /* NULL: none */
  int64_t n_json;           /* as protocol_body has it */
  accepted accepted;        /* what its Accept says */
  request_params params;    /* those of the query, later those of the body too */
  uint8_t *body;            /* [capacity], of which n_body came */
  size_t n_body, capacity;
  uint64_t declared;                 /* Content-Length; 0 if the body is chunked */
  bool body_read;                    /* read, params and error say what is in it */
  request_photos read;               /* its photos */
  space_claim claim;                 /* of memory for its way: space.h */
  uint64_t most_pictures, most_text; /* bytes that its answer can have, known with them */

  cam_error error; /* the first thing that was wrong; code CAM_OK: nothing was */
  bool hung_up;    /* the client left while it waited: there is nobody to answer */
  struct response response;
  size_t reply_bytes; /* that are counted in app's: what it may have, later what it has */

  double queued; /* seconds of CLOCK_MONOTONIC: the body was complete */
  reply_timing timing;
  int photos, width, height; /* how many; pixels of the first that was decoded (else 0) */
  cam_format format;

  int socket;                         /* of the connection; for looking only */
  void (*hand_back)(struct job *job); /* the worker is done: the HTTP thread owns the job again */
  struct job *next;                   /* in the queue */
};

/* Frees what the job holds, but for what room.h counts and the generation it has joined. */
void job_clear(struct job *job);

/* The answer, in place of any before it: body is taken over if owned, else it must outlive the
 * server. */
void job_answer(struct job *job, int status, const char *type, char *body, size_t n, bool owned);
/* Control characters and bytes above 0x7e in value become '?'. A blank value is left out: the HTTP
 * library takes none that is empty, and a label may be. */
void job_add_header(struct job *job, const char *name, const char *value);

#endif
