/* reference_plane.h - what reference.c and reference_int8.c share: a plane of the reference, and a
 * node at work. Thread: any. */
#ifndef REFERENCE_PLANE_H
#define REFERENCE_PLANE_H
#include "reference_node.h"

typedef reference_plane plane;
typedef reference_call call;

static inline double *cell(const plane *p, int y, int x) {
  return p->at + ((size_t)y * (size_t)p->width + (size_t)x) * (size_t)p->channels;
}
static inline bool inside(const plane *p, int y, int x) {
  return y >= 0 && y < p->height && x >= 0 && x < p->width;
}

/* A row of a node whose way is NODE_INT8; in: the inputs of its unit's heart. */
void reference_int8_row(const call *c, int y);
/* A node of a head in integers. The gap leaves sums of levels less their zero points; the last node
 * logits. */
void reference_int8_head(const call *c);

#endif
