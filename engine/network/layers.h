/* layers.h - the table of ways to compute a layer. To add an operator: a row in graph.h's OPERATORS
 * and graph.c, a function in reference.c, a row in layer_types. */
#ifndef LAYERS_H
#define LAYERS_H
#include "network.h"

/* The first row of layer_types that fits; every node but gap and fc has one. */
const layer_type *layer_type_for(const network *net, const cam_node *node);
/* Joins planes along channels; of one plane: a copy with padded cells. */
const layer_type *layer_type_concat(void);

/* ---- for the files that hold layer types ---- */
static inline int least(int a, int b) { return a < b ? a : b; }
static inline int most(int a, int b) { return a > b ? a : b; }
/* Where part i of n equal parts of `total` begins. */
static inline int part(int total, int i, int n) { return (int)((int64_t)total * i / n); }
/* `count` floats, 0, on a boundary of 64 bytes; NULL: no memory. */
float *packed_new(size_t count);
/* Room in the layer for `weights` packed floats, all 0, and the bias, padded with 0. */
cam_code packed_alloc(const network *net, layer *l, size_t weights, cam_error *error);

/* May a layer of the kind `product` be the 1x1 part of a block? Is a layer of the kind `depthwise`?
 */
bool layer_is_plain_product(const layer *l);
bool layer_is_depthwise(const layer *l);
/* The kind that network.c makes of the parts of a block. */
extern const layer_type layer_type_block;

/* block.c */
cam_code block_prepare(const network *net, layer *l, cam_error *error);
void block_plan(const network *net, step *s, int threads);
void block_run(const network *net, const step *s, int phase, int piece, float *scratch);

/* winograd.c */
bool winograd_fits(const network *net, const cam_node *node);
cam_code winograd_prepare(const network *net, layer *l, cam_error *error);
void winograd_plan(const network *net, step *s, int threads);
void winograd_run(const network *net, const step *s, int phase, int piece, float *scratch);
uint64_t winograd_products(const step *s);

#endif
