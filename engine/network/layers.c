/* layers.c - layers.h: the table of the kinds. Flow: network -> [layers] -> a kind. */
#include "layers.h"

/* In the order of preference: the first that fits is taken. */
static const layer_type *const layer_types[] = {
    &layer_depthwise, &layer_winograd, &layer_product,     &layer_pool,
    &layer_mean,      &layer_moves,    &layer_elementwise,
};

const layer_type *layer_type_for(const network *net, const cam_node *node) {
  for (size_t i = 0; i < sizeof layer_types / sizeof *layer_types; i++)
    if (layer_types[i]->fits(net, node))
      return layer_types[i];
  return NULL;
}
