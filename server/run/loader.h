/* loader.h - the thread that loads models: one at the start, and one more whenever it is wished for
 * (SIGHUP), while requests go on. Implemented in server/run/loader.c. */
#ifndef LOADER_H
#define LOADER_H
#include "work/app.h"
#include <stdbool.h>

struct loader;

/* Starts the thread and the first load, at whose end ready(closure, error) is called on it, unless
 * draining has begun. If either fails, signals_wait is told and loader_failure says why. */
cam_code loader_start(struct app *app, cam_code (*ready)(void *closure, cam_error *error),
                      void *closure, struct loader **out, cam_error *error);
/* Reads the model's path again, soon. Any number of wishes during a load are one more load after
 * it. */
void loader_wish(struct loader *loader);
/* What the start failed with; CAM_OK: it did not, or has not ended. */
cam_code loader_failure(struct loader *loader, cam_error *error);
/* Ends the thread and frees the present generation, of which no job may be left. False: a model is
 * just being loaded, which may take seconds; nothing was freed and the thread runs on: only the end
 * of the process remains. NULL is allowed. */
bool loader_stop(struct loader *loader);

#endif
