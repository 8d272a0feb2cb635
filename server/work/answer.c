/* answer.c - answer.h. Flow: worker or http -> [answer] -> job->response.   Thread: the job's
 * owner. */
#include "answer.h"
#include "app.h"
#include "queue.h"
#include "served.h"
#include "wire/problem.h"
#include <stdio.h>

void answer_json(struct job *job, const cam_task *tasks) {
  size_t n = 0;
  char *text = reply_text(job->served->info, job->id, tasks, job->photos, job->photos > 1,
                          &job->timing, true, &n);
  if (text)
    job_answer(job, 200, "application/json", text, n, true);
  else
    cam_fail(&job->error, CAM_E_NO_MEMORY, "no memory for the answer");
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
  static char no_memory[] =
      "{\"title\":\"Service Unavailable\",\"status\":503,\"code\":\"out_of_memory\"}";
  static const char media[] = "application/problem+json";
  struct app *app = job->app;
  size_t n = 0;
  char *text = problem_text(&job->error, job->id, &n);
  if (text)
    job_answer(job, problem_status(job->error.code), media, text, n, true);
  else
    job_answer(job, 503, media, no_memory, sizeof no_memory - 1, false);
  if (!problem_passes(job->error.code))
    return;
  char seconds[16];
  snprintf(seconds, sizeof seconds, "%d", pace_retry_after(&app->pace, queue_length(app->queue)));
  job_add_header(job, "Retry-After", seconds);
}
