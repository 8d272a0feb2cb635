/* cli_info.c - camserve info: what a model file holds. Thread: main. */
#include "cli.h"
#include <stdio.h>
#include <sys/stat.h>

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
  cam_model_print(model, stdout);
  if (S_ISREG(status.st_mode))
    printf("file           %s, %lld bytes\n", settings.model, (long long)status.st_size);
  cam_model_free(model);
  return EXIT_DONE;
}
