/* served.h - one model as it is served: what tells of it, and a context of it for each worker.
 * Implemented in server/work/served.c. Thread: the loader's makes and frees it; it does not change
 * between, but for its contexts, of which [i] is worker i's alone. */
#ifndef SERVED_H
#define SERVED_H
#include "cam_engine.h"
#include "cam_json.h"

struct app;
struct metrics_model;

typedef struct app_text {
  char *text; /* for free(); NULL: no memory */
  size_t n;
} app_text;

/* A tree, which is freed, as text. */
app_text app_text_of(json *tree);

struct served {
  char *path; /* of its file */
  cam_model *model;
  const cam_model_info *info;   /* &described */
  cam_model_info described;     /* as the engine has it, but for the name that was wished for */
  struct metrics_model *counts; /* whoever lets requests join it sets it before */
  app_text labels, about;       /* JSON bodies: GET /labels, GET /v1/models/NAME */
  int n_contexts;
  cam_context *contexts[]; /* [app->teams] */
};

/* Reads a model file and tests it in every context. name: what it is called here; "": as its file
 * says. It outlives the model. On failure nothing is left, and the error names the file. Touches
 * nothing of app but its settings and numbers. */
cam_code served_load(const struct app *app, const char *path, const char *name, struct served **out,
                     cam_error *error);
/* CAM_E_PARAMETER: no path of a route and no parameter could carry such a name. "" may be. */
cam_code served_check_name(const char *name, cam_error *error);
void served_free(struct served *served); /* no job may be on it; NULL is allowed */

/* From "sha256" to "multiply_adds": what is told of a model, by the service and by `info`. */
void served_describe(json *tree, const cam_model_info *info);

#endif
