/* detail.h - the inputs of detail=fine: the network sees a photo at its own size and at two larger
 * ones, whose finer maps are averaged (engine/fine.h). Thread: any; touches only its arguments. */
#ifndef DETAIL_H
#define DETAIL_H
#include "network/graph.h"

enum { DETAIL_PASSES = 3, DETAIL_ENDS = 3 };

/* A side of the model's own input in pass 0, 1 and 2: times 1, 10/7 and 2; the larger ones to the
 * nearest multiple, ties up, none above the model's max_side. */
int detail_side(const cam_graph *graph, int side, int pass);

/* Height and width of the largest inputs in a pass: the model's own size, so enlarged, and the
 * longest either way. No input is larger than one of these both ways. */
void detail_ends(const cam_graph *graph, int pass, int ends[DETAIL_ENDS][2]);

/* *possible: the network takes inputs larger than its own, of every size that a photo may ask for.
 * cells: of a class map at most, without and with detail=fine (else 0). CAM_E_NO_MEMORY. */
cam_code detail_check(const cam_graph *graph, bool *possible, uint64_t cells[CAM_DETAIL_COUNT],
                      cam_error *error);

#endif
