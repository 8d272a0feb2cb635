/* cli_model.c - settings -> a loaded model and what its commands need with it: explain, info,
 * bench. Thread: main. */
#include "cli.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

cam_code cli_load(const config *settings, cam_model **out, cam_error *error) {
  *out = NULL;
  if (access(settings->model, R_OK))
    return cam_fail(error, CAM_E_IO,
                    "model file %.60s: %s; `make build` makes the default one, --model or "
                    "CAMSERVE_MODEL names another",
                    settings->model, strerror(errno));
  const char *isa = NULL;
  if (*settings->isa)
    isa = settings->isa;
  cam_code code = cam_model_load(settings->model, isa, out, error);
  if (code != CAM_E_MODEL || strstr(error->detail, settings->model))
    return code;
  cam_error why = *error; /* names the tensor or node; say of which file */
  return cam_fail(error, code, "model file %.60s: %s", settings->model, why.detail);
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
