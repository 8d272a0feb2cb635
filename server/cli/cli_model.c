/* cli_model.c - settings -> a loaded model and what its commands need with it: explain, info,
 * bench. Thread: main. */
#include "cam_minmax.h"
#include "cli.h"
#include "work/model_files.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Takes the last n + 1 names off a path ("/a/b/c", 1: "/a"). */
static void cut_path(char *path, int n) {
  for (; n >= 0; n--) {
    char *slash = strrchr(path, '/');
    if (slash)
      *slash = '\0';
    else
      *path = '\0';
  }
}

cam_code cli_find_model(cli *arguments, cam_error *error) {
  static const struct {
    int up;
    const char *folder;
  } places[] = {{0, ""},
                {0, "/models"},
                {1, "/models"},
                {1, "/share/camserve/models"},
                {1, "/share/camserve"}};
  const setting *row = config_find("model");
  const char *name = strrchr(row->text, '/');
  char folder[PATH_MAX], path[2 * PATH_MAX];
  if (!cli_uses(arguments->command, row) || strcmp(arguments->config.model, row->text))
    return CAM_OK;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    const ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[max_int64(n, 0)] = '\0';
    cut_path(folder, places[i].up);
    snprintf(path, sizeof path, "%s%s%s", folder, places[i].folder, name);
    if (n > 0 && !strchr(path, ',') && !access(path, R_OK)) /* a comma is for lists */
      return config_set(&arguments->config, row, path, "beside the program", error);
  }
  return CAM_OK;
}

/* What to do is said to whoever has named none. */
static cam_code check_readable(const char *path, cam_error *error) {
  if (!access(path, R_OK))
    return CAM_OK;
  const char *advice = "";
  if (!strcmp(path, config_find("model")->text))
    advice = "; `make build` makes it, --model or CAMSERVE_MODEL names another";
  return cam_fail(error, CAM_E_IO, "model file %.60s: %s%s", path, strerror(errno), advice);
}

static cam_code load_named(const char *path, const char *isa, cam_model **out, cam_error *error) {
  if (!*isa)
    isa = NULL;
  cam_code code = cam_model_load(path, isa, out, error);
  if (code != CAM_E_MODEL || strstr(error->detail, path))
    return code;
  cam_error why = *error; /* names the tensor or node; say of which file */
  return cam_fail(error, code, "model file %.60s: %s", path, why.detail);
}

cam_code cli_model_path(const config *settings, char **path, cam_error *error) {
  model_files files;
  *path = NULL;
  cam_code code = model_files_find(settings->model, &files, error);
  if (!code && files.n > 1)
    code = cam_fail(error, CAM_E_PARAMETER,
                    "model: %d files (%.40s, %.40s ...); this command takes one", files.n,
                    files.paths[0], files.paths[1]);
  if (!code)
    code = check_readable(files.paths[0], error);
  if (!code) {
    *path = files.paths[0];
    files.paths[0] = NULL;
  }
  model_files_free(&files);
  return code;
}

cam_code cli_load(const config *settings, cam_model **out, cam_error *error) {
  char *path;
  *out = NULL;
  cam_code code = cli_model_path(settings, &path, error);
  if (!code)
    code = load_named(path, settings->isa, out, error);
  free(path);
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
  if (code)
    cli_name_flag(error);
  return code;
}
