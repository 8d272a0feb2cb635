/* layer.h - what a network is made of: layers, the kinds of them, and steps, which are layers
 * planned for one size of the input. Flow: graph -> network -> [layers] -> forward. All of it but
 * the steps is immutable once made, and shared by all threads. Implemented in layer.c; the kinds
 * have a file each (layers.h). */
#ifndef LAYER_H
#define LAYER_H
#include "graph.h"
#include "kernels.h"
#include "kernels_int8.h"
#include "quantized.h"

typedef struct network network;
typedef struct layer layer;
typedef struct step step;

/* A kind of layer: one way to compute some operators. A layer runs in one or two phases, each cut
 * into pieces that the team takes in any order; a piece writes its own part of the output only. */
typedef struct layer_type {
  const char *name;
  /* Can it compute this node? NULL: fuse.c or merge.c alone makes it. */
  bool (*fits)(const network *net, const cam_node *node);
  /* Packs the weights; NULL: there are none. Runs on several threads, one a layer. */
  cam_code (*prepare)(const network *net, layer *l, cam_error *error);
  /* Sets pieces, scratch and what the kind keeps in the step; shapes and places are known. */
  void (*plan)(const network *net, step *s, int threads);
  void (*run)(const network *net, const step *s, int phase, int piece, float *scratch);
  /* Multiply-adds that the method needs; NULL: those of the definition. */
  uint64_t (*products)(const step *s);
  bool reads_picture; /* can read cells that are not padded to the vector width */
  bool pools;         /* can end in a max_pool of 2x2, stride 2 (layer.pool) */
  bool adds;          /* can add another plane to its sums (layer.residual) */
  bool finishes;      /* can end in any activation (layer.finish) */
} layer_type;

enum { NO_RESIDUAL = -2 };

/* What a layer in integers has besides. */
typedef struct int8_layer {
  int8_unit unit;     /* what it computes; then perhaps an activation, by the table */
  requantization q;   /* its arrays are owned, [channels, padded to INT8_CELL] */
  float *shift;       /* affine: [channels, padded]; owned; q.multiplier are the factors */
  uint8_t table[256]; /* q.range.table, if it has one */
  uint8_t *tables;    /* concat: [inputs][256], another scale; owned */
  uint8_t *padding;   /* conv: a cell of it, [cell_bytes]; owned */
  int cell_bytes;     /* conv: of a cell under the kernel, as the packed weights have it */
  void *weight;       /* packed; owned */
  size_t weight_bytes;
} int8_layer;

struct layer {
  const layer_type *type;
  const cam_node *node; /* the operator at its heart */
  const cam_node *last; /* the last node fused into it: the layer's output is this node's; NULL: a
                           padded copy of the picture */
  int n_inputs, inputs[NODE_MAX_INPUTS]; /* layers, or GRAPH_INPUT */
  int residual;        /* the layer whose output is added before `finish`, or NO_RESIDUAL */
  int channels;        /* of the output, without padding */
  epilogue finish;     /* what becomes of each sum */
  bool pool;           /* the sums, finished, are pooled 2x2 */
  int tile;            /* winograd: outputs a side of a tile */
  int groups;          /* conv: after merging */
  int merged;          /* product: of the node's groups in each of them; the last may lack some */
  int depth;           /* conv: products of an output: cells of the kernel x channels of a group */
  float *weight;       /* packed, as the kind likes it; owned */
  float *bias;         /* [channels, padded with 0]; owned */
  size_t weight_count; /* floats of weight */
  bool by_one_cell;    /* mul: its second input is one cell, whatever the picture's size */
  layer *before;    /* product: an affine, or a factor a channel, that its input goes through on the
                       way, with the same inputs; owned; or NULL */
  int8_layer *int8; /* of a layer in integers; owned; or NULL */
  bool levels;      /* its plane is of 8-bit levels, not of floats */
  int n_parts;      /* of a block (block.c): 2 or 3 layers run as one; else 0 */
  layer *parts;     /* [n_parts]; owned */
};

/* How winograd.c shares out a step. */
typedef enum winograd_way {
  BY_TILES,   /* one phase: a piece is a block of tiles, from the input to the output */
  BY_CHANNELS /* two: all tiles are transformed; then a piece is a range of output channels */
} winograd_way;

/* A layer for one size of the input. */
struct step {
  const layer *l;
  union { /* [height,width,in_strides[i]] each, of floats or of levels */
    const float *in[NODE_MAX_INPUTS];
    const uint8_t *in8[NODE_MAX_INPUTS];
  };
  union { /* [out_height,out_width,out_stride], or NULL */
    const float *residual;
    const uint8_t *residual8;
  };
  int in_channels[NODE_MAX_INPUTS]; /* without padding */
  int in_strides[NODE_MAX_INPUTS];  /* values from cell to cell */
  int in_cells[NODE_MAX_INPUTS];    /* height * width */
  /* Of the first input, which all others are as large as or one cell. */
  int in_height, in_width, out_height, out_width, out_stride;
  int top, left; /* padding before */
  union {        /* [out_height,out_width,out_stride] */
    float *out;
    uint8_t *out8;
  };
  int pieces[2];              /* of each phase; how many does not change the result; 0: no phase */
  int row_parts, panel_parts; /* product: a piece is one of each, pieces[0] = their product */
  winograd_way way;           /* winograd */
  size_t scratch;             /* floats that each thread needs */
  size_t shared;              /* floats that the phases share */
  float *common;              /* [shared] */
};

struct network {
  const cam_graph *graph;
  const kernels *k;
  const kernels_int8 *k8;
  bool apart;  /* each node is a layer: nothing is fused, no plane is left out */
  bool blocks; /* what can be a block is one */
  int n_layers;
  layer *layers;    /* [n_layers]; the nodes of the head are not among them */
  int (*shape)[2];  /* [nodes] height and width at the input's own size; while layers are made */
  uint64_t *packed; /* floats of packed weights so far; while they are packed, by several threads */
  int features;     /* the layer whose output the head reads, or goes into `linear` */
  const cam_node *linear; /* a convolution without activation before the gap: not a layer, see
                             tail.h; or NULL */
  /* [classes,C], [classes] or NULL of a head that is a gap and an fc; of any other both are NULL */
  const cam_tensor *fc_weight, *fc_bias;
  int64_t *row_sums; /* [classes] of fc's 8-bit weights, where the head is in integers; owned */
};

/* Floats from cell to cell of a plane with that many channels: up to a multiple of the vector
 * width. (The picture's 3 stay 3.) */
int cell_stride(const network *net, int channels);
/* Of a plane of levels the same, whatever the instruction set. */
static inline int level_stride(int channels) {
  return (channels + INT8_CELL - 1) / INT8_CELL * INT8_CELL;
}
/* Columns of a whole panel of packed weights: as many as kernels.product takes at a time. */
int panel_width(const network *net);

/* Room in the layer for `weights` packed floats, all 0, and the bias, padded with 0; on boundaries
 * of 64 bytes. CAM_E_NO_MEMORY; CAM_E_MODEL if all layers together pack too much. */
cam_code packed_alloc(const network *net, layer *l, size_t weights, cam_error *error);

/* Room in a layer in integers for packed weights, all 0, on a boundary of 64 bytes; and for the
 * arrays of its channels, which are set by what its unit is. Errors as above. */
cam_code packed_int8(const network *net, layer *l, size_t bytes, cam_error *error);
cam_code prepare_int8(const network *net, layer *l, cam_error *error);

/* begin..end-1 */
typedef struct range {
  int begin, end;
} range;
/* Part i of n equal parts of 0..total-1. */
static inline range part_of(int total, int i, int n) {
  return (range){(int)((int64_t)total * i / n), (int)((int64_t)total * (i + 1) / n)};
}

/* Of a plane on which each value takes a few cycles: not worth a team's waiting for each other. */
bool is_small_plane(int cells, int stride);
/* Pieces that are ranges of output rows: enough for every thread to get some. As the plan of such a
 * plane; and the cells of a piece's rows. */
int pieces_by_rows(const step *s, int threads);
void plan_rows(const network *net, step *s, int threads);
range cells_of(const step *s, int piece);

#endif
