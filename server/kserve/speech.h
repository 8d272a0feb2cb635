/* speech.h - what KServe's protocols have in common. Implemented in server/kserve/speech.c. Thread:
 * worker, for what has to do with photos; any, for errors. */
#ifndef SPEECH_H
#define SPEECH_H
#include "cam_json.h"
#include "wire/protocol.h"

extern const protocol speech_errors; /* of routes without a body */

/* bytes[0..n) as a JSON object, the caller's; NULL: it is none, and the error says so. */
json *speech_parse(const uint8_t *bytes, size_t n, cam_error *error);
/* A member; NULL: there is none, or it is null, as some clients write what they leave out. */
const json *speech_member(const json *object, const char *name);
/* The strings of a list, 1 to CAM_MAX_TASKS photos in base64: text_of gives each element's, or NULL
 * where there is none. name: of the list, for errors. */
cam_code speech_photos(const json *list, const char *(*text_of)(const json *item), const char *name,
                       request_photos *photos, cam_error *error);
/* CAM_E_BODY where a list has no element or more than CAM_MAX_TASKS. */
cam_code speech_check_count(int n, const char *name, cam_error *error);
/* One photo that fails fails all: the error of the first that did, with its place in front. */
cam_code speech_judge(const cam_task *tasks, int n, const char *name, cam_error *error);

/* Members of every row of protocol. What is no photo, or a broken one, is a bad request: the
 * clients know 400, not 415 and 422. */
int speech_status(cam_code code);
char *speech_problem(const cam_error *error, const char *request_id, size_t *n);
#define SPEECH_ERRORS \
  .status = speech_status, .problem = speech_problem, .problem_type = "application/json", \
  .no_memory = "{\"error\":\"not enough memory\"}"

#endif
