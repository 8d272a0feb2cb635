/* cut.h - a network seen from one of its nodes on: what is behind a cut depends on what is before
 * it by that node's plane alone. Flow: graph -> [cut] -> trainer, adjoints. Thread: any. */
#ifndef CUT_H
#define CUT_H
#include "graph.h"

/* CAM_E_PARAMETER: a node behind `cut` reads one before it, or `cut` is no node before the head nor
 * GRAPH_INPUT. */
cam_code cut_check(const cam_graph *graph, int cut, cam_error *error);

/* The earliest cut whose plane has the size of the last one, the one that the head reads;
 * GRAPH_INPUT where that is the picture's. */
int cut_at_last_size(const cam_graph *graph);

/* Channels of the plane at the cut. */
int cut_channels(const cam_graph *graph, int cut);

/* Height and width of the output of each node behind the cut, whose plane is height x width:
 * shape[nodes][2]; those before are not written. Errors as graph_shapes. */
cam_code cut_shapes(const cam_graph *graph, int cut, int height, int width, int (*shape)[2],
                    cam_error *error);

/* The last fc, before which dropout is; -1: there is none. */
int cut_last_fc(const cam_graph *graph);

#endif
