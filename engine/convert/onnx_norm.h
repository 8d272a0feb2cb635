/* onnx_norm.h - the parts of a layer norm that is spelled out. See onnx_norm.c. */
#ifndef ONNX_NORM_H
#define ONNX_NORM_H
#include "onnx_operator.h"

/* Output 0: the mean over the channels, which are all along `side`; it stays. */
cam_code onnx_channel_mean(onnx_import *im, const onnx_slot *in, int side);
/* True if an operator of two planes is a part: x less its mean, that times itself, or over its
 * deviation. */
bool onnx_is_norm_part(const onnx_import *im);
/* Output 0: that part. */
cam_code onnx_norm_part(onnx_import *im);

#endif
