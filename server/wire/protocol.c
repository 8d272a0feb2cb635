/* protocol.c - protocol_cam: bodies by their Content-Type, the JSON of reply.h, problem documents.
 * Flow: worker -> [protocol] -> request, reply, problem.   Thread: any. */
#include "protocol.h"
#include "problem.h"
#include "request.h"

static cam_code read_cam(const protocol_body *body, request_params *params, request_photos *photos,
                         cam_error *error) {
  return request_read(body->type, body->bytes, body->n, params, photos, error);
}

/* Of several photos each succeeds or fails for itself. */
static cam_code judge_cam(const cam_task *tasks, int n, cam_error *error) {
  if (n > 1 || !tasks[0].error.code)
    return CAM_OK;
  *error = tasks[0].error;
  return error->code;
}

static bool reply_cam(const protocol_facts *facts, protocol_reply *out) {
  *out = (protocol_reply){.type = "application/json"};
  out->bytes = reply_text(facts->model, facts->request_id, facts->tasks, facts->n, facts->n > 1,
                          facts->timing, true, &out->n);
  return out->bytes;
}

const protocol protocol_cam = {
    .read = read_cam,
    .judge = judge_cam,
    .reply = reply_cam,
    .negotiates = true,
    .status = problem_status,
    .problem = problem_text,
    .problem_type = "application/problem+json",
    .no_memory = "{\"title\":\"Service Unavailable\",\"status\":503,\"code\":\"out_of_memory\"}",
};
