/* json_params.h - members of a JSON object as parameters of POST /cam. Implemented in
 * server/wire/json_params.c. Thread: any; touches only its arguments. */
#ifndef JSON_PARAMS_H
#define JSON_PARAMS_H
#include "cam_json.h"
#include "params.h"

/* One member: a string or a number, and for the parameters that are lists an array of these.
 * CAM_E_PARAMETER as params_set, also for any other kind of value. */
cam_code json_params_set(request_params *params, const json *member, cam_error *error);

#endif
