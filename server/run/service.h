/* service.h - the running service: what `camserve serve` calls. Implemented in
 * server/run/service.c.
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

#endif
