/* generation.h - one model and all that follows from it: the JSON bodies that tell of it, and a
 * context of it for each worker. Implemented in server/work/generation.c.
 *
 * A request is of one generation from its headers to its answer: its classes are checked, its photo
 * is explained and its labels are named by the same model. A reload makes a new generation beside
 * the present one and then lets new requests join that; no request waits, none is refused, and the
 * workers go on as they are, each taking the context of its job's generation. The old one is freed
 * when its last request has left. So for a moment there are two in memory, never three. */
#ifndef GENERATION_H
#define GENERATION_H
#include "cam_engine.h"

struct app;

typedef struct app_text {
  char *text;
  size_t n;
} app_text;

/* What /version says: of the program, and of a model (NULL: there is none yet). text is for free();
 * NULL: no memory. */
app_text generation_version_text(const cam_model_info *info);

struct generation {
  cam_model *model;
  app_text labels, models, version; /* JSON bodies */
  int jobs; /* how many have joined and not left; guarded by app->jobs_mutex */
  int n_contexts;
  cam_context *contexts[]; /* [app->teams]; [i] is worker i's alone */
};

/* Loads settings' model and tests it in every context. On failure nothing is left, and the error
 * names the file. Any one thread at a time. */
cam_code generation_load(const struct app *app, struct generation **out, cam_error *error);
/* No job may be of it. NULL is allowed. */
void generation_free(struct generation *generation);

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
