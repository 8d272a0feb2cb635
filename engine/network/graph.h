/* graph.h - a network as data: what a model file holds, checked. Flow: model file -> [graph] ->
 * plan -> forward. Immutable after loading, shared by all threads. Blind to HTTP, photos and
 * pictures. */

/* The text under the metadata key "camserve" of a model file is described in docs/models.md, "The
 * file": members, operators and their attributes, versions, and what an architecture has besides.
 * Sizes are in pixels or cells, planes are [height,width,channels]. The network sees
 * (pixel - mean) * scale. Nodes stand in order: the inputs of one are "input", the picture, or
 * earlier names. The last nodes are the head: a gap or flatten of the last plane and behind it,
 * each on the one before, what graph_head_takes; fc and flatten stand nowhere else. Version 1 is
 * read as what it always said; from version 3 on planes and weights may be of 8 bits. */
#ifndef GRAPH_H
#define GRAPH_H
#include "cam_engine.h"
#include "node.h"

enum {
  GRAPH_MAX_NODES = 4096,
  GRAPH_VERSION = 2,     /* written of float32 */
  GRAPH_INT8_VERSION = 3 /* written of what has 8-bit planes; those up to it are read */
};

/* How a class map is enlarged (cam/class_map.h). Both bilinear, float32, source clamped to
 * the plane. MAP_TF1: TensorFlow 1's resize_bilinear with align_corners=False: source = destination
 * * in / out. MAP_HALF_PIXEL: source = (destination + 0.5) * in / out - 0.5, not below 0. */
typedef enum map_rule { MAP_HALF_PIXEL, MAP_TF1 } map_rule;

/* As model files say them: "half_pixel", "tf1". */
extern const char *const map_rule_names[2];

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
  float temperature;   /* 0: the file has none (include/cam_temperature.h) */
  cam_scale map_scale; /* of pictures and boxes that are asked for without one */
  int n_classes;
  cam_class *classes; /* [n_classes] */
  int n_nodes;
  cam_node *nodes; /* [n_nodes], each after its inputs */
  int head; /* nodes from here, a gap or flatten, to the last are a chain that turns the last plane
               into logits; all before it are layers */
  cam_method method; /* what the head allows */
  /* A network in 8 bits, or partly so (quantized.h). */
  bool is_int8;    /* a node has a quantization or 8-bit weights */
  bool sees_bytes; /* the picture is read as it was photographed: (level - mean) * scale is in the
                      weights */
  bool int8_head;  /* the last plane, and fc where there is one, are of 8 bits */
  bool bit_exact;  /* all is computed in integers: the same bits on every machine */
  int n_self_test; /* 0: the file has none */
  struct {
    int class_id;
    double logit;
  } self_test[16];
  safetensors *file;     /* owns the tensors */
  struct json *document; /* owns the strings */
} cam_graph;

/* May a node of this operator stand in a head behind its gap or flatten? */
bool graph_head_takes(cam_op op);

/* Of a graph that is read: sets the way of each node, and what of the graph follows (graph_int8.c).
 * CAM_E_MODEL naming the node: a quantization is missing or misplaced, or a sum may leave 32 bits.
 */
cam_code graph_mark_int8(cam_graph *graph, cam_error *error);

/* Reads and checks a model file. CAM_E_IO, or CAM_E_MODEL naming the tensor, node or member. */
cam_code graph_load(const char *path, cam_graph **out, cam_error *error);
void graph_free(cam_graph *graph); /* NULL is allowed */

/* CAM_E_MODEL: the text of a network, or an architecture, is of a version that is not read. */
cam_code graph_check_version(const json *document, cam_error *error);
/* CAM_E_MODEL: no model can be called so. */
cam_code graph_check_name(const char *name, cam_error *error);

/* Height and width of each node's output for an input of height x width: shape[n_nodes][2].
 * CAM_E_MODEL naming the node if a kernel does not fit, two shapes that must agree do not, a plane
 * has more than 2^28 values, or the whole takes more than 2^40 multiply-adds. */
cam_code graph_shapes(const cam_graph *graph, int height, int width, int (*shape)[2],
                      cam_error *error);

/* The picture as the network sees it is [height,width,3] in its order of channels: float32, (level
 * - mean) * scale, or, where graph->sees_bytes, the levels of 0 to 255 themselves. */

/* The made picture of the self-test and of benchmarks: 8-bit, deterministic, then as the network
 * sees it. [graph->height,graph->width,3] */
void cam_made_input(const cam_graph *graph, void *input);

#endif
