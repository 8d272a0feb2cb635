/* answer.c - answer.h. Flow: worker or http -> [answer] -> job->response.   Thread: the job's
 * owner. */
#include "answer.h"
#include "app.h"
#include "queue.h"
#include "served.h"
#include "wire/problem.h"
#include <stdio.h>
#include <string.h>

void answer_reply(struct job *job, const cam_task *tasks) {
  const protocol_facts facts = {.model = job->served->info,
                                .request_id = job->id,
                                .tasks = tasks,
                                .n = job->photos,
                                .asked = job->read.asked,
                                .timing = &job->timing};
  protocol_reply reply;
  if (!job->protocol->reply(&facts, &reply)) {
    cam_fail(&job->error, CAM_E_NO_MEMORY, "no memory for the answer");
    return;
  }
  char length[32];
  job_answer(job, 200, reply.type, reply.bytes, reply.n, true);
  if (!reply.n_json)
    return;
  snprintf(length, sizeof length, "%zu", reply.n_json);
  job_add_header(job, "Inference-Header-Content-Length", length);
}

cam_code answer_prepare_picture(struct job *job) {
  cam_params *params = &job->params.cam;
  const char *type = accept_picture_type(job->accepted.picture);
  if (job->photos > 1)
    return cam_fail(&job->error, CAM_E_NOT_ACCEPTABLE,
                    "Accept: %s carries one overlay, but there are %d photos", type, job->photos);
  if (!(params->include & CAM_INCLUDE_OVERLAY))
    return cam_fail(&job->error, CAM_E_NOT_ACCEPTABLE, "Accept: %s, but include is without overlay",
                    type);
  if (!params_given(&job->params, "format"))
    params->picture = job->accepted.picture;
  if (!(job->accepted.pictures >> params->picture & 1))
    return cam_fail(&job->error, CAM_E_NOT_ACCEPTABLE, "Accept: %s, but format is %s", type,
                    cam_picture_name(params->picture));
  params->top_k = 1;
  params->n_classes = 0;
  params->include = CAM_INCLUDE_OVERLAY;
  return CAM_OK;
}

void answer_picture(struct job *job, cam_task *task) {
  cam_prediction *first = &task->result.predictions[0];
  const cam_model_info *info = job->served->info;
  char text[32];
  job_answer(job, 200, accept_picture_type(job->params.cam.picture), (char *)first->overlay.data,
             first->overlay.size, true);
  first->overlay = (cam_bytes){NULL, 0}; /* the answer owns it */
  snprintf(text, sizeof text, "%d", first->class_id);
  job_add_header(job, "X-Cam-Class-Id", text);
  job_add_header(job, "X-Cam-Label", info->class_list[first->class_id].label);
  snprintf(text, sizeof text, "%.9g", (double)first->probability);
  job_add_header(job, "X-Cam-Probability", text);
}

void answer_problem(struct job *job) {
  const protocol *spoken = job->protocol;
  struct app *app = job->app;
  size_t n = 0;
  char *text = spoken->problem(&job->error, job->id, &n);
  if (text)
    job_answer(job, spoken->status(job->error.code), spoken->problem_type, text, n, true);
  else
    job_answer(job, 503, spoken->problem_type, (char *)(uintptr_t)spoken->no_memory,
               strlen(spoken->no_memory), false);
  if (!problem_passes(job->error.code))
    return;
  char seconds[16];
  snprintf(seconds, sizeof seconds, "%d", pace_retry_after(&app->pace, queue_length(app->queue)));
  job_add_header(job, "Retry-After", seconds);
}
