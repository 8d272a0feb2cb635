/* worker.h - the threads that answer photos: each has one context (a team of engine threads) and takes one job at a time from the queue.
 * Implemented in server/worker.c. */
#ifndef WORKER_H
#define WORKER_H
#include "app.h"

struct workers;
/* Makes app->teams contexts of app->threads threads, runs the model's self-test in each, then starts a thread for each. On failure none is left. */
cam_code workers_start(struct app *app, struct workers **out, cam_error *error);
/* Joins the threads once the queue is closed and empty, and frees the contexts. NULL is allowed. */
void workers_stop(struct workers *workers);

#endif
