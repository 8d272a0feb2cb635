/* layers.c - layers.h: the table of the kinds. Flow: network -> [layers] -> a kind. */
#include "layers.h"

/* In the order of preference: the first that fits is taken. */
static const layer_type *const layer_types[] = {
    &layer_depthwise, &layer_winograd, &layer_product,     &layer_pool,
    &layer_mean,      &layer_moves,    &layer_elementwise,
};

static const layer_type *const int8_types[] = {
    &layer_depthwise_int8, &layer_product_int8, &layer_pool_int8,
    &layer_mean_int8,      &layer_moves_int8,   &layer_elementwise_int8,
};

static const layer_type *first_fit(const layer_type *const *types, size_t n, const network *net,
                                   const cam_node *node) {
  for (size_t i = 0; i < n; i++)
    if (types[i]->fits(net, node))
      return types[i];
  return NULL;
}

const layer_type *layer_type_for(const network *net, const cam_node *node) {
  return first_fit(layer_types, sizeof layer_types / sizeof *layer_types, net, node);
}

const layer_type *layer_int8_type_for(const network *net, const cam_node *node, bool adds) {
  if (adds)
    return &layer_product_int8;
  return first_fit(int8_types, sizeof int8_types / sizeof *int8_types, net, node);
}
