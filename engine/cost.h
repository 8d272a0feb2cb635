/* cost.h - is a photo allowed to take what it may take? What that is stands in cost.c, which also
 * has cam_cost_of of cam_engine.h. Thread: any; touches only its arguments. */
#ifndef COST_H
#define COST_H
#include "cam_engine.h"
#include "context.h"

/* CAM_E_BUDGET: explaining this photo alone, one label after another, may take more memory than
 * cam_limits.work_bytes; says both figures. A photo that cannot be probed is allowed. */
cam_code cost_check(const cam_context *context, const cam_task *task, cam_error *error);

#endif
