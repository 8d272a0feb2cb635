/* answer.h - the answers that a job can get besides those that a route makes: what was explained,
 * as its protocol says it or as one picture, and what is wrong. Implemented in
 * server/work/answer.c. Thread: the job's owner. */
#ifndef ANSWER_H
#define ANSWER_H
#include "job.h"

/* What job->photos tasks have come to, as the job's protocol says it, or CAM_E_NO_MEMORY in
 * job->error. */
void answer_reply(struct job *job, const cam_task *tasks);

/* image/png and image/jpeg can carry one picture: asks for that one alone, so that nothing else is
 * computed. CAM_E_NOT_ACCEPTABLE: what was asked for does not go with it; job->error says why. */
cam_code answer_prepare_picture(struct job *job);
/* The first label's overlay as the body itself, taken out of the task. */
void answer_picture(struct job *job, cam_task *task);

/* job->error as the job's protocol says it, with Retry-After where it is due. */
void answer_problem(struct job *job);

#endif
