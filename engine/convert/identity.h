/* identity.h - what a network's ranges are ranges of: its layers before the head, what they weigh,
 * and what they see of a picture. Flow: graph -> [identity] -> ranges. Any thread. */
#ifndef IDENTITY_H
#define IDENTITY_H
#include "network/graph.h"

/* graph: in float32. out: SHA-256, in hexadecimal, of what the values of those layers follow from:
 * names, operators, attributes, inputs and tensors, to the bit, and the pixels' mean, scale and
 * order. Names of the model and its classes, its head, its input's size and its maps are not in it:
 * a network that is converted once more, called otherwise or given another head stays the same.
 * CAM_E_NO_MEMORY. */
cam_code identity_of_layers(const cam_graph *graph, char out[65], cam_error *error);

#endif
