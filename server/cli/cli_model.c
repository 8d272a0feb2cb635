/* cli_model.c - settings -> a loaded model and what its commands need with it: explain, info,
 * bench. Thread: main. */
#include "cli.h"
#include "work/model_files.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static cam_code load_named(const char *path, const char *isa, cam_model **out, cam_error *error) {
  if (access(path, R_OK))
    return cam_fail(error, CAM_E_IO,
                    "model file %.60s: %s; `make build` makes the default one, --model or "
                    "CAMSERVE_MODEL names another",
                    path, strerror(errno));
  if (!*isa)
    isa = NULL;
  cam_code code = cam_model_load(path, isa, out, error);
  if (code != CAM_E_MODEL || strstr(error->detail, path))
    return code;
  cam_error why = *error; /* names the tensor or node; say of which file */
  return cam_fail(error, code, "model file %.60s: %s", path, why.detail);
}

cam_code cli_load(const config *settings, cam_model **out, cam_error *error) {
  model_files files;
  *out = NULL;
  cam_code code = model_files_find(settings->model, &files, error);
  if (!code && files.n > 1)
    code = cam_fail(error, CAM_E_PARAMETER,
                    "model: %d files (%.40s, %.40s ...); this command takes one", files.n,
                    files.paths[0], files.paths[1]);
  if (!code)
    code = load_named(files.paths[0], settings->isa, out, error);
  model_files_free(&files);
  return code;
}

cam_code cli_params(const cli *arguments, const cam_model *model, request_params *out,
                    cam_error *error) {
  cam_code code = CAM_OK;
  params_init(out);
  for (int i = 0; i < arguments->n_params && !code; i++)
    code = params_set(out, params_info(arguments->params[i].row)->name, arguments->params[i].value,
                      error);
  if (!code)
    code = params_resolve(out, model, error);
  return code;
}
