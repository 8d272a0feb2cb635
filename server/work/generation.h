/* generation.h - the models that are served at one moment, as a list, and the JSON bodies that tell
 * of all of them. Implemented in server/work/generation.c.
 *
 * A request is of one generation from its headers to its answer: wherever it says which model it is
 * for, it finds that model in there, its classes are checked, its photo is explained and its labels
 * are named by it. A reload makes a new list in which one model stands in the place of another, or
 * one more, and lets new requests join that; no request waits, none is refused, and the workers go
 * on as they are, each taking its context of the job's model. When the last request of the old list
 * has left, what was exchanged is freed, and the next model is loaded. So whatever is reloaded, one
 * model is in memory twice for a moment, never two. */
#ifndef GENERATION_H
#define GENERATION_H
#include "served.h"

struct generation {
  app_text list, version;  /* JSON bodies: GET /v1/models, GET /version */
  int jobs;                /* how many have joined and not left; guarded by app->jobs_mutex */
  int n;                   /* 1 or more */
  struct served *models[]; /* [n], names differ; the first is for requests that name none. Shared
                              with the generations before and after */
};

/* What GET /version says before there is a model. */
app_text generation_version_of_none(void);

/* NULL: no memory. */
struct generation *generation_new(struct served *const *models, int n);
/* The list, not the models in it. No job may be of it. NULL is allowed. */
void generation_free(struct generation *generation);

/* The model of this name; the first for "". NULL: there is none, and the error lists those there
 * are. */
struct served *generation_find(const struct generation *generation, const char *name, cam_code code,
                               cam_error *error);

/* The present generation, which stays in memory until generation_leave; NULL: there is none yet.
 * Any thread. */
struct generation *generation_join(struct app *app);
/* Once more, for someone who has joined. */
void generation_stay(struct app *app, struct generation *generation);
/* *held, joined before, becomes NULL; if it is NULL nothing is done. */
void generation_leave(struct app *app, struct generation **held);
/* From now on requests join this one; NULL: none any more. Returns the one before, which its last
 * requests still need: NULL the first time. */
struct generation *generation_replace(struct app *app, struct generation *with);
/* Waits for the last of them; NULL is allowed. It has been replaced, so their number only falls,
 * and each has a deadline. */
void generation_wait(struct app *app, const struct generation *old);

#endif
