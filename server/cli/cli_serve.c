/* cli_serve.c - camserve serve, camserve health: the service and the question whether one runs.
 * Thread: main. */
#include "cli.h"
#include "health_client.h"
#include "run/service.h"
#include <stdio.h>

int cli_serve(const cli *arguments) {
  cam_error error = {0};
  return service_run(&arguments->config, &error) ? cli_fail(NULL, &error) : EXIT_DONE;
}

int cli_health(const cli *arguments) {
  cam_error error = {0};
  if (health_check(&arguments->config, &error))
    return cli_fail(NULL, &error);
  puts("ready");
  return EXIT_DONE;
}
