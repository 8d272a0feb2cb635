/* cli_model.c - settings -> a loaded model and what its commands need with it: explain, info, bench. Thread: main. */
#include "cli.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cli_threads(const config *settings) {
  int processors = cam_cpu_count();
  return settings->threads ? (int)settings->threads : processors < 4 ? processors : 4;
}

cam_limits cli_limits(const config *settings) {
  return (cam_limits){.max_pixels = settings->max_pixels, .max_side = (int)settings->max_side, .decode_bytes = (size_t)settings->decode_bytes,
                      .max_scans = (int)settings->max_scans, .decode_ms = (int)settings->decode_ms};
}

cam_code cli_load(const config *settings, cam_model **out, cam_error *error) {
  *out = NULL;
  if (access(settings->model, R_OK))
    return cam_fail(error, CAM_E_IO, "model file %.60s: %s; `make build` makes the default one, --model or CAMSERVE_MODEL names another", settings->model,
                    strerror(errno));
  cam_code code = cam_model_load(settings->model, *settings->isa ? settings->isa : NULL, out, error);
  if (code != CAM_E_MODEL || strstr(error->detail, settings->model)) return code;
  cam_error why = *error; /* names the tensor or node; say of which file */
  return cam_fail(error, code, "model file %.60s: %s", settings->model, why.detail);
}

cam_code cli_params(const cli *arguments, const cam_model *model, request_params *out, cam_error *error) {
  cam_code code = CAM_OK;
  params_init(out);
  for (int i = 0; i < PARAM_COUNT && !code; i++)
    if (arguments->params[i]) code = params_set(out, model, params_info(i)->name, arguments->params[i], error);
  return code;
}
