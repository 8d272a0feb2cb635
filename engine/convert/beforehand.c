/* beforehand.c - beforehand.h. */
#include "beforehand.h"
#include "document.h"
#include "network/graph.h"
#include "ranges.h"
#include <sys/stat.h>

enum { INPUTS = 6, MOST_OUTPUTS = 3, MOST_PATH = 4096 };

typedef struct paths {
  const char *inputs[INPUTS];        /* or NULL: that one is not read */
  const char *outputs[MOST_OUTPUTS]; /* the first takes the place of what is there */
  int n_outputs;
  char ranges[MOST_PATH];
} paths;

static cam_code list_paths(const cam_convert_options *options, const char *unfinished, paths *out,
                           cam_error *error) {
  *out = (paths){.inputs = {options->weights, options->architecture, options->labels,
                            options->compare_input, options->compare_output, options->ranges},
                 .outputs = {options->output, unfinished, out->ranges},
                 .n_outputs = MOST_OUTPUTS};
  if (options->int8 && !options->ranges)
    return ranges_path(options->output, out->ranges, sizeof out->ranges, error);
  out->n_outputs--; /* no photo is looked at */
  return CAM_OK;
}

static cam_code check_replaceable(const char *path, cam_error *error) {
  struct stat about;
  if (!stat(path, &about) && S_ISDIR(about.st_mode))
    return cam_fail(error, CAM_E_IO, "%.120s: it cannot be written: it is a folder", path);
  return CAM_OK;
}

static cam_code check_paths(const paths *all, cam_error *error) {
  cam_code code = CAM_OK;
  for (int i = 0; i < INPUTS && !code; i++)
    if (all->inputs[i])
      code = document_readable(all->inputs[i], error);
  /* (Of ONNX more may be read than its own file: onnx_join.) */
  for (int i = 0; i < all->n_outputs && !code; i++)
    for (int k = 0; k < INPUTS && !code; k++)
      code = document_keep(all->outputs[i], all->inputs[k], error);
  if (!code)
    code = check_replaceable(all->outputs[0], error);
  for (int i = 1; i < all->n_outputs && !code; i++)
    code = document_writable(all->outputs[i], error);
  return code;
}

cam_code beforehand_check(const cam_convert_options *options, const char *unfinished,
                          cam_error *error) {
  paths all;
  cam_code code = list_paths(options, unfinished, &all, error);
  if (!code)
    code = check_paths(&all, error);
  if (!code && options->name)
    code = graph_check_name(options->name, error);
  return code;
}
