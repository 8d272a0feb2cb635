/* forward.h - one worker's run of a network: a plan for the input's size and an arena for the
 * planes between layers. Flow: resize -> [forward] -> logits, class maps. Thread: worker, with its
 * team. */
#ifndef FORWARD_H
#define FORWARD_H
#include "base/team.h"
#include "network.h"

typedef struct forward forward;

/* The arena fits every shape the graph allows. Network and team are borrowed. */
cam_code forward_create(const network *net, cam_team *team, forward **out, cam_error *error);
void forward_free(forward *f); /* NULL is allowed */

/* Bytes of an arena for an input of height x width; any plan is forgotten. Errors as below. */
cam_code forward_measure(forward *f, int height, int width, size_t *bytes, cam_error *error);

/* Plans for an input of height x width; *input is where the caller then writes [height,width,3] as
 * the network sees it (graph.h). CAM_E_MODEL: the network does not take that size; CAM_E_NO_MEMORY.
 */
cam_code forward_plan(forward *f, int height, int width, void **input, cam_error *error);
/* Runs the plan: logits[classes]. layer_ms[layers] (NULL allowed) gets the time of each layer. */
void forward_run(forward *f, float *logits, double *layer_ms);

/* As forward_run, of a network that was made apart, calling watch with the plane of each node
 * before the head, one after another: channels of floats, `stride` apart, of each of its cells. */
typedef void forward_watcher(void *closure, const cam_node *node, const float *plane, int cells,
                             int channels, int stride);
void forward_watch(forward *f, float *logits, forward_watcher *watch, void *closure);

/* After forward_run: cells of the class maps; maps[i] [map height, map width] of n classes;
 * where the graph's method is cam, mean(map) + bias = logit. */
void forward_map_size(const forward *f, int *height, int *width);
void forward_class_maps(forward *f, int n, const int *class_ids, float *const *maps);

/* What layer `index` of the plan computes and touches at least once. */
typedef struct layer_cost {
  const char *name, *kind;
  int height, width, channels;      /* of its output */
  uint64_t multiply_adds;           /* by definition, whatever the method */
  uint64_t products;                /* those that the method needs */
  bool int8;                        /* of bytes */
  size_t weight_bytes, plane_bytes; /* packed weights; planes read and written */
} layer_cost;
void forward_layer(const forward *f, int index, layer_cost *cost);

#endif
