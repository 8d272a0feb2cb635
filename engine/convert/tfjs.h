/* tfjs.h - TensorFlow.js: model.json, whose weights lie in files beside it. Reader of a row in
 * weights_read.c. One thread at a time. */
#ifndef TFJS_H
#define TFJS_H
#include "weights.h"

cam_code tfjs_read(weights *all, cam_error *error);

#endif
