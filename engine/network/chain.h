/* chain.h - the nodes of a head behind its gap or flatten, where they are more than one fc: forward
 * to the logits, and backward to the gradient of a logit. Flow: tail -> [chain] -> tail. Thread:
 * worker, with its team; one run at a time. */
#ifndef CHAIN_H
#define CHAIN_H
#include "base/team.h"
#include "graph.h"

typedef struct chain chain;

enum { CHAIN_CLASSES = 4 /* gradients at a time: the weights are read once for all of them */ };

/* room: floats of the input at least, also where the gap or flatten leaves fewer. Graph and team
 * are borrowed. *out is for chain_free whatever the code. CAM_E_NO_MEMORY. */
cam_code chain_create(const cam_graph *graph, size_t room, cam_team *team, chain **out,
                      cam_error *error);
void chain_free(chain *c); /* NULL is allowed */

/* What the first node reads, for the caller to write: [channels of the gap or flatten]. */
float *chain_input(chain *c);
/* logits[classes] of the input. */
void chain_logits(chain *c, float *logits);
/* After chain_logits: gradients[i] of the logit of class_ids[i] by the input, n of them, at most
 * CHAIN_CLASSES; as long as the input, and valid until the next call. At a kink of an activation,
 * where there is none, it is 0 as on the flat side. */
void chain_gradients(chain *c, int n, const int *class_ids, const float **gradients);

#endif
