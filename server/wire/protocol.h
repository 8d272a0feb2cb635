/* protocol.h - what a request speaks: how its body is read, how its answer and its errors are
 * written. A row of functions, so that the way in between, from the queue through the engine, is
 * one for all. protocol_cam is here (server/wire/protocol.c); those of KServe are in
 * kserve/kserve.h. Thread: worker, for what has to do with photos; any, for errors. */
#ifndef PROTOCOL_H
#define PROTOCOL_H
#include "params.h"
#include "reply.h"
#include "request_photos.h"

/* A body as it came. */
typedef struct protocol_body {
  const char *type; /* Content-Type; NULL: none */
  const uint8_t *bytes;
  size_t n;
  int64_t n_json; /* bytes of JSON before binary data (Inference-Header-Content-Length); -1: that
                     was not said */
} protocol_body;

/* What a reply is made of. Tasks and texts are borrowed. */
typedef struct protocol_facts {
  const cam_model_info *model;
  const char *request_id;
  const cam_task *tasks;
  int n;             /* 1 to CAM_MAX_TASKS */
  const void *asked; /* what the reader of the body noted; NULL: nothing */
  const reply_timing *timing;
} protocol_facts;

typedef struct protocol_reply {
  const char *type; /* Content-Type; static storage */
  char *bytes;      /* for free() */
  size_t n;
  size_t n_json; /* bytes of JSON before binary data; 0: there is no such data */
} protocol_reply;

typedef struct protocol {
  /* Sets the photos, the parameters that are in the body, and photos->asked. Always needs
   * request_photos_free. */
  cam_code (*read)(const protocol_body *body, request_params *params, request_photos *photos,
                   cam_error *error);
  /* CAM_OK: there is something to reply with. Else what a failed task makes of the whole request.
   */
  cam_code (*judge)(const cam_task *tasks, int n, cam_error *error);
  bool (*reply)(const protocol_facts *facts, protocol_reply *out); /* false: no memory */
  bool negotiates; /* Accept chooses between JSON and a picture; else there is one form */
  int (*status)(cam_code code);
  char *(*problem)(const cam_error *error, const char *request_id, size_t *n); /* as problem_text */
  const char *problem_type;
  const char *no_memory; /* the problem in whose place there was no memory for one */
} protocol;

extern const protocol protocol_cam; /* POST /cam, and every route without photos */

#endif
