/* worker.h - the threads that answer photos: each takes one job at a time from the queue, and its
 * context of the job's model. Implemented in server/work/worker.c. */
#ifndef WORKER_H
#define WORKER_H
#include "app.h"

struct workers;
/* Starts app->teams threads. On failure none is left and the queue is closed. */
cam_code workers_start(struct app *app, struct workers **out, cam_error *error);
/* Joins the threads once the queue is closed and empty. NULL is allowed. */
void workers_stop(struct workers *workers);

#endif
