/* loader.h - the thread that loads models: all of them whenever it is wished for (at the start, at
 * SIGHUP), one by one, while requests go on. It brings generations and does nothing else.
 * Implemented in server/run/loader.c. */
#ifndef LOADER_H
#define LOADER_H
#include "work/app.h"
#include <stdbool.h>

struct loader;

cam_code loader_start(struct app *app, struct loader **out, cam_error *error);
/* Reads the models' files and folders, soon. Any number of wishes during a load are one more load
 * after it. At the end of each load signals_wait is told. */
void loader_wish(struct loader *loader);
/* Nothing is wished for that is not loaded, or refused. */
bool loader_rests(struct loader *loader);
/* The first load. DONE: app->generation is there; FAILED: *error says why. */
typedef enum loader_state { LOADER_BUSY, LOADER_DONE, LOADER_FAILED } loader_state;
loader_state loader_first(struct loader *loader, cam_error *error);
/* Ends the thread, once no job is open; the present generation stays. False: a model is just being
 * loaded, which may take seconds; the thread runs on, touches nothing but what it loads and app's
 * settings, and only the end of the process remains. */
bool loader_stop(struct loader *loader);

#endif
