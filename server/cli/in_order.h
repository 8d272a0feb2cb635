/* in_order.h - things that come one after another, are worked on side by side and leave in the
 * order in which they came. Implemented in server/cli/in_order.c. */
#ifndef IN_ORDER_H
#define IN_ORDER_H
#include "cam_engine.h"

typedef struct in_order_steps {
  size_t size; /* bytes of a thing; each is all zero when it is taken */
  /* One call at a time, in order; may wait. False: there are no more. */
  bool (*take)(void *closure, void *thing);
  /* Side by side; context as in cam_spread. */
  void (*work)(void *closure, void *thing, cam_context *context);
  /* One call at a time, in the order of taking, as soon as the ones before have left; beside take
   * and work of others. */
  void (*leave)(void *closure, void *thing);
} in_order_steps;

/* Runs the steps on each thing; at most two a thread are between take and leave at any moment.
 * threads: of the context's team, each of which takes things for itself; 1: one thing after
 * another, each shared by the whole team. False: no memory, and nothing was taken. */
bool in_order(cam_context *context, int threads, const in_order_steps *steps, void *closure);

#endif
