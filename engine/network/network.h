/* network.h - a graph made ready to run: operators fused into layers, weights packed for the
 * kernels. Immutable after network_create(), shared by all threads. A `forward` is one worker's run
 * of it: a plan for the input's shape and an arena for the planes between layers. Flow: graph ->
 * [network] -> forward -> logits, class maps. */
#ifndef NETWORK_H
#define NETWORK_H
#include "base/team.h"
#include "graph.h"
#include "kernels.h"

typedef struct network network;
typedef struct layer layer;
typedef struct step step;

/* One way to compute a layer: a row of layer_types (layers.c), the first that fits is taken. A
 * layer runs in one or two phases, each cut into pieces that the team takes in any order. */
typedef struct layer_type {
  const char *name;
  bool (*fits)(const network *net, const cam_node *node);
  cam_code (*prepare)(const network *net, layer *l,
                      cam_error *error);                  /* packs weights; NULL: has none */
  void (*plan)(const network *net, step *s, int threads); /* sets pieces and scratch */
  void (*run)(const network *net, const step *s, int phase, int piece, float *scratch);
  bool reads_picture; /* can read cells that are not padded to the vector width */
  bool pools;         /* can end in a max_pool of 2x2, stride 2 (layer.pool) */
  bool adds;          /* can add another plane to its sums (layer.residual) */
} layer_type;

struct layer {
  const layer_type *type;
  const cam_node *node; /* the operator at its heart */
  const cam_node *last; /* the last node fused into it: the layer's output is this node's; NULL: a
                           padded copy of the picture */
  int n_inputs, inputs[NODE_MAX_INPUTS]; /* layers, or GRAPH_INPUT */
  int residual; /* layer whose output is added before `finish`, or NO_RESIDUAL */
  int channels; /* of the output, without padding */
  epilogue finish;
  bool pool;         /* the sums, finished, are pooled 2x2 */
  int tile;          /* winograd: outputs a side of a tile */
  int groups, depth; /* conv: groups after merging, products per output = kernel cells x channels of
                        a group */
  float *weight, *bias; /* packed; owned */
  size_t weight_count;  /* floats of weight */
  int n_parts;          /* of a block (block.c): 2 or 3 layers run as one; else 0 */
  layer *parts;         /* [n_parts]; owned */
};
enum { NO_RESIDUAL = -2 };

/* A layer for one input shape. */
struct step {
  const layer *l;
  const float *in[NODE_MAX_INPUTS], *residual;
  int in_channels[NODE_MAX_INPUTS],
      in_strides[NODE_MAX_INPUTS]; /* channels, and floats from cell to cell */
  int in_height, in_width, out_height, out_width, out_stride;
  int top, left;  /* padding before */
  float *out;     /* [out_height,out_width,out_stride] */
  int pieces[2];  /* of each phase: independent parts of its work; how many does not change the
                     result; 0: no such phase */
  int split[2];   /* what a piece is; the layer's own */
  size_t scratch; /* floats that each thread needs */
  size_t shared;  /* floats that the phases share */
  float *common;  /* [shared] */
};

struct network {
  const cam_graph *graph;
  const kernels *k;
  int n_layers;
  layer *layers;   /* [n_layers]; the gap and the fc are not among them */
  int (*shape)[2]; /* [nodes] height and width at the input's own size; while the layers are made */
  uint64_t *packed; /* floats of packed weights so far; while they are packed, by several threads */
  int features;     /* the layer whose output the gap averages, or goes into `linear` */
  const cam_node *linear; /* a convolution without activation before the gap: not a layer, see
                             tail.h; or NULL */
  const cam_tensor *fc_weight, *fc_bias; /* [classes,C], [classes] or NULL */
};

/* The graph is borrowed and must outlive the network. */
cam_code network_create(const cam_graph *graph, const kernels *k, network **out, cam_error *error);
void network_free(network *net); /* NULL is allowed */
/* Floats from cell to cell of a plane with that many channels: up to a multiple of the vector
 * width; the picture's 3 stay 3. */
int network_stride(const network *net, int channels);

typedef struct forward forward;
/* The arena fits every shape the graph allows. The team is borrowed. */
cam_code forward_create(const network *net, cam_team *team, forward **out, cam_error *error);
void forward_free(forward *f); /* NULL is allowed */
/* Plans for an input of height x width; *input is where the caller then writes [height,width,3] as
 * the network sees it. */
cam_code forward_plan(forward *f, int height, int width, float **input, cam_error *error);
/* Runs the plan: logits[classes]. layer_ms[layers] (NULL allowed) gets the time of each layer. */
void forward_run(forward *f, float *logits, double *layer_ms);
/* After forward_run: cells of the class maps; maps[i] [map height, map width] of n classes;
 * mean(map) + bias = logit. */
void forward_map_size(const forward *f, int *height, int *width);
void forward_class_maps(forward *f, int n, const int *class_ids, float *const *maps);
/* What layer `index` of the plan computes and touches at least once. */
typedef struct layer_cost {
  const char *name, *kind;
  int height, width, channels;      /* of its output */
  uint64_t multiply_adds;           /* by definition, whatever the method */
  uint64_t products;                /* those that the method needs */
  size_t weight_bytes, plane_bytes; /* packed weights; planes read and written */
} layer_cost;
void forward_layer(const forward *f, int index, layer_cost *cost);
float network_bias(const network *net, int class_id);

#endif
