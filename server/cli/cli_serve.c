/* cli_serve.c - camserve serve, camserve health: the service and the question whether one runs.
 * Thread: main. */
#include "base/sink.h"
#include "cli.h"
#include "health_client.h"
#include "run/service.h"
#include <stdio.h>
#include <unistd.h>

/* As cli_fail says it, but to nobody where nobody reads: the end waits for no one. */
static int fail_at_last(const cam_error *error) {
  struct sink output = sink_open(STDERR_FILENO);
  char text[sizeof error->detail + 32];
  const int n = snprintf(text, sizeof text, "camserve: %s\n", error->detail);
  sink_write(&output, text, (size_t)n);
  return error->code == CAM_E_PARAMETER ? EXIT_USAGE : EXIT_FAILED;
}

int cli_serve(const cli *arguments) {
  cam_error error = {0};
  if (service_run(&arguments->config, &error))
    return fail_at_last(&error);
  return EXIT_DONE;
}

int cli_health(const cli *arguments) {
  cam_error error = {0};
  if (health_check(&arguments->config, &error))
    return cli_fail(NULL, &error);
  puts("ready");
  return EXIT_DONE;
}
