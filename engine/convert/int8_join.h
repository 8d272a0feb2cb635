/* int8_join.h - a model file in float32 -> what a model file in 8 bits consists of. Flow: model
 * file -> calibrate or ranges -> quantize -> [int8_join] -> convert -> model file. One thread at a
 * time. */
#ifndef INT8_JOIN_H
#define INT8_JOIN_H
#include "cam_convert.h"
#include "join.h"

/* from: the file in float32, which may be `unfinished`; *out, with its self-test, and a file of it
 * under the unfinished name. Says how the answers differ, how much is in integers, and whether all
 * is. CAM_E_PARAMETER naming the option, CAM_E_MODEL, CAM_E_IO, CAM_E_NO_MEMORY. */
cam_code int8_join(const cam_convert_options *options, const char *from, const char *unfinished,
                   joined *out, cam_error *error);

#endif
