/* params.h - the parameters of POST /cam, one table: name, default, range, meaning
 * (server/wire/params.c). The table serves the query, form fields, JSON members, the flags of
 * `camserve explain` (--top-k) and /openapi.json's check. Thread: any; touches only its arguments.
 */
#ifndef PARAMS_H
#define PARAMS_H
#include "cam_engine.h"

enum { PARAM_COUNT = 9 };
typedef struct request_params {
  cam_params cam;
  bool seen[PARAM_COUNT]; /* given already: a second time is an error, also once in the query and
                             once in the body */
} request_params;

void params_init(request_params *params);
/* One parameter as text. CAM_E_PARAMETER names the parameter, the value and what is allowed:
 * unknown name, given twice, out of range, not a finite number, unknown word or class. */
cam_code params_set(request_params *params, const cam_model *model, const char *name,
                    const char *value, cam_error *error);
/* Was it given? */
bool params_given(const request_params *params, const char *name);
/* For generated help: name ("top_k"), default ("3"), meaning, of row 0 to PARAM_COUNT-1. */
typedef struct param_info {
  const char *name, *fallback, *meaning;
} param_info;
const param_info *params_info(int row);

#endif
