/* cam_error.h - the one list of everything that can go wrong, shared by engine and server.
 * A callee fills a cam_error that its caller owns; it never prints and never exits. HTTP status
 * codes are not here: they are the server's own table over this list (server/wire/problem.c).
 * Implemented in engine/base/error.c. */
#ifndef CAM_ERROR_H
#define CAM_ERROR_H

/* X(enumerator, name that callers of the service see, text for people) */
#define CAM_ERRORS(X) \
  X(CAM_OK, "ok", "no error") \
  X(CAM_E_PARAMETER, "bad_parameter", "a parameter is unknown, given twice or out of range") \
  X(CAM_E_BODY, "bad_body", "the body is not what its Content-Type promises") \
  X(CAM_E_UNAUTHORIZED, "unauthorized", "the key is missing or wrong") \
  X(CAM_E_NOT_FOUND, "not_found", "there is nothing at this path") \
  X(CAM_E_METHOD, "method_not_allowed", "this path does not answer to this method") \
  X(CAM_E_NOT_ACCEPTABLE, "not_acceptable", \
    "the answer cannot be given in the form that was asked for") \
  X(CAM_E_LENGTH, "length_required", "the length of the body must be declared") \
  X(CAM_E_TOO_LARGE, "too_large", "the body has more bytes than are allowed") \
  X(CAM_E_HEADERS, "headers_too_large", "the headers are more than are allowed") \
  X(CAM_E_REPLY, "reply_too_large", "the answer would have more bytes than are allowed") \
  X(CAM_E_FORMAT, "unsupported_format", "the bytes are not a photo in a supported format") \
  X(CAM_E_PHOTO, "broken_photo", "the photo cannot be decoded") \
  X(CAM_E_PIXELS, "too_many_pixels", "the photo has more pixels than are allowed") \
  X(CAM_E_BUDGET, "decode_budget", \
    "the photo needs more memory or work to decode than is allowed") \
  X(CAM_E_BUSY, "busy", "the queue is full") \
  X(CAM_E_ROOM, "busy", "the memory for all requests together is in use") \
  X(CAM_E_NOT_READY, "not_ready", "the service is starting or draining") \
  X(CAM_E_DEADLINE, "deadline", "the request took longer than is allowed") \
  X(CAM_E_MODEL, "bad_model", "the model file is not usable") \
  X(CAM_E_WEIGHTS, "bad_weights", "the file of weights cannot be converted") \
  X(CAM_E_IO, "io", "a file cannot be read or written") \
  X(CAM_E_NO_MEMORY, "out_of_memory", "not enough memory") \
  X(CAM_E_INTERNAL, "internal", "camserve contradicted itself")

typedef enum cam_code {
#define X(id, name, text) id,
  CAM_ERRORS(X)
#undef X
      CAM_CODES /* how many there are */
} cam_code;

/* clang-format off */
/* The stages of one explanation, in order; names as in "timing_ms" and in the metrics. */
#define CAM_STAGES(X)               \
  X(CAM_STAGE_DECODE,  "decode")    \
  X(CAM_STAGE_RESIZE,  "resize")    \
  X(CAM_STAGE_FORWARD, "forward")   \
  X(CAM_STAGE_CAM,     "cam")       \
  X(CAM_STAGE_RENDER,  "render")
/* clang-format on */
typedef enum cam_stage {
#define X(id, name) id,
  CAM_STAGES(X)
#undef X
      CAM_STAGE_COUNT
} cam_stage;

typedef struct cam_error {
  cam_code code;
  char detail[160];  /* what exactly: names the value and the limit; ASCII, terminated */
  const char *stage; /* one of the stage names, or NULL where no stage had begun; static storage */
} cam_error;

/* "bad_parameter"; never NULL. */
const char *cam_code_name(cam_code code);
/* "a parameter is unknown, ..."; never NULL. */
const char *cam_code_text(cam_code code);
/* "decode"; never NULL. */
const char *cam_stage_name(cam_stage stage);

/* Fills *error (NULL is allowed) and returns code, so that a callee can `return cam_fail(...)`. A
 * detail that is too long is cut. Control characters and bytes above 0x7e in the result become '?'.
 */
cam_code cam_fail(cam_error *error, cam_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
