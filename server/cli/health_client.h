/* health_client.h - the question whether a service is running: what `camserve health` calls.
 * Implemented in server/cli/health_client.c. */
#ifndef HEALTH_CLIENT_H
#define HEALTH_CLIENT_H
#include "base/config.h"
#include "cam_error.h"

/* Asks the server that this configuration describes for /readyz (host 0.0.0.0 is asked on
 * 127.0.0.1), waiting 3 s at most. CAM_OK if it answered 200. */
cam_code health_check(const config *config, cam_error *error);

#endif
