/* cli_info.c - camserve info: what a model file holds. Thread: main. */
#include "cam_json.h"
#include "cli.h"
#include "wire/file_name.h"
#include "work/served.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { JSON }; /* rows of its options in server/cli/main.c */

static cam_code print_json(const cam_model_info *info, const char *path, int64_t file_bytes,
                           cam_error *error) {
  json *tree = json_new_object();
  json_add_text(tree, "name", info->name);
  served_describe(tree, info);
  if (info->precision == CAM_INT8) {
    json_add_number(tree, "int8_share", info->int8_share);
    json_add_bool(tree, "bit_exact", info->bit_exact);
  }
  json_add_int(tree, "weight_bytes", (int64_t)info->weight_bytes);
  json_add_text(tree, "isa", info->isa);
  file_name_add(tree, path);
  json_add_int(tree, "file_bytes", file_bytes);
  char *text = json_print(tree, true, NULL);
  json_free(tree);
  if (!text)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the answer");
  puts(text);
  free(text);
  return CAM_OK;
}

int cli_info(const cli *arguments) {
  config settings = arguments->config; /* its texts stay theirs */
  if (arguments->n_operands)
    settings.model = arguments->operands[0];
  cam_model *model;
  cam_error error = {0};
  if (cli_load(&settings, &model, &error))
    return cli_fail(NULL, &error);
  struct stat status = {0};
  stat(settings.model, &status);
  cam_code code = CAM_OK;
  if (arguments->options[JSON]) {
    code = print_json(cam_model_get_info(model), settings.model, status.st_size, &error);
  } else {
    cam_model_print(model, stdout);
    if (S_ISREG(status.st_mode))
      printf("file           %s, %lld bytes\n", settings.model, (long long)status.st_size);
  }
  cam_model_free(model);
  if (code)
    return cli_fail(NULL, &error);
  return EXIT_DONE;
}
