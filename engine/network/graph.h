/* graph.h - a network as data: what a model file holds, checked. Flow: model file -> [graph] ->
 * plan -> forward. Immutable after loading, shared by all threads. Blind to HTTP, photos and
 * pictures. */

/* clang-format off */
/* The text under the metadata key "camserve" of a model file (all sizes in pixels or cells; NHWC):
 *   {"version": 2, "name": "efficientnet-lite0", "origin": "...", "license": "...",
 *    "input": {"height": 224, "width": 224,
 *              "channels": "RGB"|"BGR", "mean": [3], "scale": [3],
 *                       the network sees (pixel - mean) * scale, in the order of "channels"
 *              "resize": "stretch"|"aspect", "multiple": 32, "max_side": 640},
 *                       the last two are for "aspect": sides are multiples of "multiple"; without
 *                       them, or with a flatten, the network takes height x width alone
 *    "map": {"resize": "half_pixel"|"tf1", "scale": "relu"|"minmax"},
 *                       "scale" may be missing: minmax for tf1, as the paper has it, else relu
 *    "classes": [["n01440764", "tench, Tinca tinca"], ...],
 *                       WordNet id and label; null or "": it has no id
 *    "probability": "softmax"|"sigmoid",
 *                       over all classes (where nothing is said), or of each class for itself
 *    "nodes": [{"name": "stem", "op": "conv", "inputs": ["input"], ...}, ...],
 *                       in order: a node's inputs are "input" or earlier names
 *    "self_test": {"logits": [[class, logit], ...]}}
 *                       the largest, for cam_made_input
 * Operators (OPERATORS in node.h) and their attributes:
 *   conv      stride [y,x] (default [1,1]), padding, groups (default 1),
 *             weight: tensor [KH,KW,Cin/groups,Cout], bias: tensor [Cout] (optional)
 *   max_pool, avg_pool
 *             kernel [y,x], stride [y,x], padding, ceil_mode (default false: a last window that
 *             sticks out does not count); avg_pool: count_include_pad (default false: padding does
 *             not count)
 *   relu, relu6, sigmoid, silu, hard_swish, gelu (by erf)
 *             of one input, each value
 *   clip      each value: least, most (either may be left out)
 *   hard_sigmoid
 *             each value: slope * x + offset, not below 0 nor above 1
 *   affine    scale * x + shift: tensors [C]
 *   layer_norm
 *             over the channels of a cell; scale, shift: tensors [C], epsilon
 *   add       two inputs of one shape
 *   mul       two inputs of one shape, or the second of one cell: a factor a channel
 *   concat    inputs of one height and width, along channels
 *   slice     channels [begin,end], of which `end` is the first that is not taken
 *   shuffle   groups: channels as [groups,C/groups] transposed
 *   resize    factor [y,x]: the nearest cell
 *   gap       global average pooling
 *   flatten   all values of a plane as the channels of one cell, [H,W,C] -> H*W*C
 *   fc        weight: tensor [outputs,C], bias: tensor [outputs] (optional)
 *   padding is "same" (TensorFlow: the odd pixel goes right and bottom), "valid" or
 *   [top,left,bottom,right].
 * The last nodes are the head: a gap or flatten of the last plane and behind it, each on the one
 * before, any of fc, affine, layer_norm and what maps each value; as many channels as classes at
 * the end. An fc and a flatten may stand nowhere else.
 *
 * Version 2 is 1 with more in it: all operators but conv, max_pool, avg_pool, relu, relu6, add,
 * concat, gap and fc; gaps before the head, and heads other than a gap and one fc; "probability";
 * networks of one size; classes without WordNet id; "scale" in "map". What 1 says it still says.
 *
 * An architecture (config/models/NAME.json) is the same text with, besides,
 *   "source": {"conv": "OIHW"|"HWIO", "fc": "OI"|"IO"}
 *             the layout of its tensors in the file of weights, whose names weight, bias ... give;
 *   "classes": "imagenet-1k"
 *             read from config/labels/NAME.tsv beside it (wnid TAB label, in class order);
 *   batch_norm
 *             inputs [a conv], scale, shift, mean, variance: tensors [C], epsilon: folded into the
 *             conv by `camserve convert`;
 *   "ignore": ["*.num_batches_tracked", ...]
 *             tensors of the file of weights (shell patterns) that the network does not use. */
/* clang-format on */
#ifndef GRAPH_H
#define GRAPH_H
#include "cam_engine.h"
#include "node.h"

enum {
  GRAPH_MAX_NODES = 4096,
  GRAPH_VERSION = 2 /* written; those up to it are read */
};

/* How a class map is enlarged (cam/class_map.h). Both bilinear, float32, source clamped to
 * the plane. MAP_TF1: TensorFlow 1's resize_bilinear with align_corners=False: source = destination
 * * in / out. MAP_HALF_PIXEL: source = (destination + 0.5) * in / out - 0.5, not below 0. */
typedef enum map_rule { MAP_HALF_PIXEL, MAP_TF1 } map_rule;

typedef struct cam_graph {
  const char *name, *origin, *license;
  int height, width; /* the input's own size */
  bool bgr;
  float mean[3], scale[3]; /* in the network's channel order */
  cam_resize resize;
  bool one_size;          /* takes height x width alone: no CAM_ASPECT */
  int multiple, max_side; /* of CAM_ASPECT; of one size both are its longer side */
  map_rule rule;
  cam_probability probability;
  cam_scale map_scale; /* of pictures and boxes that are asked for without one */
  int n_classes;
  cam_class *classes; /* [n_classes] */
  int n_nodes;
  cam_node *nodes; /* [n_nodes], each after its inputs */
  int head; /* nodes from here, a gap or flatten, to the last are a chain that turns the last plane
               into logits; all before it are layers */
  cam_method method; /* what the head allows */
  int n_self_test;   /* 0: the file has none */
  struct {
    int class_id;
    double logit;
  } self_test[16];
  safetensors *file;     /* owns the tensors */
  struct json *document; /* owns the strings */
} cam_graph;

/* May a node of this operator stand in a head behind its gap or flatten? */
bool graph_head_takes(cam_op op);

/* Reads and checks a model file. CAM_E_IO, or CAM_E_MODEL naming the tensor, node or member. */
cam_code graph_load(const char *path, cam_graph **out, cam_error *error);
void graph_free(cam_graph *graph); /* NULL is allowed */

/* CAM_E_MODEL: the text of a network, or an architecture, is of a version that is not read. */
cam_code graph_check_version(const json *document, cam_error *error);

/* Height and width of each node's output for an input of height x width: shape[n_nodes][2].
 * CAM_E_MODEL naming the node if a kernel does not fit, two shapes that must agree do not, a plane
 * has more than 2^28 values, or the whole takes more than 2^40 multiply-adds. */
cam_code graph_shapes(const cam_graph *graph, int height, int width, int (*shape)[2],
                      cam_error *error);

/* The made picture of the self-test and of benchmarks: 8-bit, deterministic, then as the network
 * sees it. [graph->height,graph->width,3] */
void cam_made_input(const cam_graph *graph, float *input);

#endif
