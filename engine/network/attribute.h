/* attribute.h - the attributes of a node: how each of them is read and checked. Flow:
 * operators -> [attribute]. Thread: loading. For operators.c, which knows what operator has which.
 */
#ifndef ATTRIBUTE_H
#define ATTRIBUTE_H
#include "members.h"
#include "node.h"

/* A node being read. */
typedef struct reading {
  const node_context *context;
  cam_node *node;
  char where[96]; /* what errors call it */
  members m;      /* of the node; m.where is `where` */
} reading;

/* Of one of the node's inputs. */
static inline int channels_of(const reading *r, int input) {
  if (input == GRAPH_INPUT)
    return 3;
  return r->context->nodes[input].channels;
}

/* What an operator has: a bit for each attribute, or for those that go together. */
enum {
  HAS_KERNEL = 1 << 0,
  HAS_STRIDE = 1 << 1,
  HAS_PADDING = 1 << 2,
  HAS_GROUPS = 1 << 3,
  HAS_WEIGHT = 1 << 4,
  HAS_BIAS = 1 << 5,
  HAS_CEIL_MODE = 1 << 6,
  HAS_COUNT_INCLUDE_PAD = 1 << 7,
  HAS_LIMITS = 1 << 8,
  HAS_LINE = 1 << 9,
  HAS_SCALE = 1 << 10,
  HAS_EPSILON = 1 << 11,
  HAS_CHANNELS = 1 << 12,
  HAS_FACTOR = 1 << 13,
  A_CONV = HAS_STRIDE | HAS_PADDING | HAS_GROUPS | HAS_WEIGHT | HAS_BIAS,
  A_POOL = HAS_KERNEL | HAS_STRIDE | HAS_PADDING | HAS_CEIL_MODE
};

/* Is there a member of this name that nodes with these attributes may have? */
bool attribute_is_known(unsigned has, const char *name);
/* Reads them into the node, whose operator and inputs are known; what may be left out and is, has
 * its default. Sets channels: those of the first input, or what kernels make of them. CAM_E_MODEL.
 */
cam_code attributes_read(reading *r, unsigned has);

#endif
