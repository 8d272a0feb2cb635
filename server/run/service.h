/* service.h - the running service, and the question whether one is running. What `camserve serve`
 * and `camserve health` call. Implemented in server/run/service.c and server/cli/health_client.c.
 */
#ifndef SERVICE_H
#define SERVICE_H
#include "base/config.h"
#include "cam_error.h"

/* Loads the model, starts the teams and the HTTP threads, prints the address and one curl line on
 * standard output, and serves until SIGTERM or SIGINT; then drains. Returns 0 after a clean drain;
 * 1 with *error filled where it could not start or could not finish in drain_ms. A second signal
 * ends the process at once with exit code 1. Owns the process's signals while it runs: call it from
 * the main thread. */
int service_run(const config *config, cam_error *error);

/* Asks the server that this configuration describes for /readyz (host 0.0.0.0 is asked on
 * 127.0.0.1), waiting 3 s at most. 0 if it answered 200; 1 with *error filled otherwise. */
int health_check(const config *config, cam_error *error);

#endif
