/* layers.h - the table of ways to compute a layer. To add an operator: a row in graph.h's OPERATORS and graph.c, a function in reference.c,
 * a row in layer_types. */
#ifndef LAYERS_H
#define LAYERS_H
#include "network.h"

/* The first row of layer_types that fits; every node but gap and fc has one. */
const layer_type *layer_type_for(const network *net, const cam_node *node);
/* Joins planes along channels; of one plane: a copy with padded cells. */
const layer_type *layer_type_concat(void);

#endif
