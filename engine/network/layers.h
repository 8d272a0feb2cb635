/* layers.h - the kinds of layers, and which of them computes a node. The table is in layers.c; each
 * kind is in the file of its name, pools, means and moves in planes.c. */
#ifndef LAYERS_H
#define LAYERS_H
#include "layer.h"

/* clang-format off */
extern const layer_type layer_depthwise;   /* one filter a channel */
extern const layer_type layer_winograd;    /* 3x3, stride 1 */
extern const layer_type layer_product;     /* any convolution */
extern const layer_type layer_block;       /* two or three of them as one (merge.c) */
extern const layer_type layer_pool;        /* max_pool, avg_pool */
extern const layer_type layer_mean;        /* gap in the body */
extern const layer_type layer_moves;       /* concat, slice, shuffle, resize; of the picture: a copy
                                              in padded cells */
extern const layer_type layer_elementwise; /* add, mul, affine, layer_norm, activations that were
                                              not fused */

/* The same in integers, over planes of 8-bit levels; and what stands between both. */
extern const layer_type layer_depthwise_int8;
extern const layer_type layer_product_int8;
extern const layer_type layer_block_int8;
extern const layer_type layer_pool_int8;
extern const layer_type layer_mean_int8;
extern const layer_type layer_moves_int8;
extern const layer_type layer_elementwise_int8;
extern const layer_type layer_quantize;   /* floats -> levels */
extern const layer_type layer_dequantize; /* levels -> floats */
/* clang-format on */

/* The first kind that fits; NULL: an operator that none computes (fc, which the tail does).
 */
const layer_type *layer_type_for(const network *net, const cam_node *node);
/* Of the heart of a unit in integers, which adds another plane or not; there is one for each. */
const layer_type *layer_int8_type_for(const network *net, const cam_node *node, bool adds);

/* A max_pool or avg_pool. */
bool pool_fits(const network *net, const cam_node *node);
/* What a mean is divided by, of a kernel whose first cell is (top, left) and that sees n cells of
 * the plane. With count_include_pad all that it sees of the plane and its padding; the window of
 * ceil_mode may reach past both. */
int pool_count(const step *s, int top, int left, int n);

/* An operator of one factor a channel, and a shift or none: an affine, or a mul by one cell. */
bool is_affine_layer(const layer *l);
/* Its cells, which lie at `from`, into `to`; cells have s->in_strides[0] floats in both. s: a step
 * with the layer's inputs. */
void affine_cells(const network *net, const step *s, const layer *l, int cells, const float *from,
                  float *to);

/* A product with 1x1 kernels on the plane as it lies: what the 1x1 parts of a block must be. */
bool is_plain_product(const layer *l);
bool is_plain_product_int8(const layer *l);

/* What a block in integers does with its parts. Of the 1x1 ones: n cells, whose strides are in
 * bytes; residual may be NULL. Of the depthwise one: its shape where a row has so many cells of
 * padding on the left, the filter that is packed for that, and its input's zero point. */
void multiply_level_cells(const network *net, const layer *l, int n, const uint8_t *a, int a_stride,
                          const uint8_t *residual, int residual_stride, uint8_t *out,
                          int out_stride);
depthwise_shape int8_filter_shape(const cam_node *node, int left);
const void *int8_filter_for(const network *net, const layer *l, int left);
int int8_filter_zero(const network *net, const layer *l);

#endif
