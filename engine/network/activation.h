/* activation.h - what an activation is, in double: for the reference, and for tables of 8-bit
 * levels. Any thread. */
#ifndef ACTIVATION_H
#define ACTIVATION_H
#include "node.h"

/* One value through the node; of infinite ones those that have a limit there. NAN: it is none. */
double activated(const cam_node *node, double x);

#endif
