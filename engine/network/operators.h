/* operators.h - what the nodes of each operator have, take and give. Flow: model file ->
 * [operators] -> graph. Thread: loading; node_shape any. */
#ifndef OPERATORS_H
#define OPERATORS_H
#include "node.h"

/* Reads and checks one node; what it points to belongs to the JSON and the file. CAM_E_MODEL naming
 * the node and what is wrong with it. */
cam_code node_read(const node_context *context, const json *object, cam_node *out,
                   cam_error *error);

/* Height and width of a node's output, for inputs of in[k] = height, width. CAM_E_MODEL naming the
 * node if a kernel does not fit, inputs that must agree do not, or the plane has more than 2^28
 * values. */
cam_code node_shape(const cam_node *node, const int *const in[NODE_MAX_INPUTS], int out[2],
                    cam_error *error);

#endif
