/* in_order.c - in_order.h. Things lie in a ring. Who takes one holds `taking`, so that they come in
 * order, and waits there until the ring has room; who has finished one marks it and, holding
 * `leaving`, sees off all that are finished from the oldest on. The oldest is always in the hands
 * of a thread that waits for nobody, so all leave at last. */
#include "in_order.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ring {
  const in_order_steps *steps;
  void *closure;
  size_t room;
  pthread_mutex_t taking, leaving;
  pthread_cond_t left;
  size_t n_taken; /* under taking; things taken so far */
  bool over;      /* under taking; take has said that there are no more */
  size_t n_left;  /* under leaving */
  bool *done;     /* [room] under leaving */
  char *things;   /* [room] */
};

static void *thing_at(const struct ring *ring, size_t number) {
  return ring->things + number % ring->room * ring->steps->size;
}

static void wait_for_room(struct ring *ring) {
  pthread_mutex_lock(&ring->leaving);
  while (ring->n_taken - ring->n_left == ring->room)
    pthread_cond_wait(&ring->left, &ring->leaving);
  pthread_mutex_unlock(&ring->leaving);
}

/* The number of the thing that was taken. False: there are no more. */
static bool take_one(struct ring *ring, size_t *number) {
  pthread_mutex_lock(&ring->taking);
  if (!ring->over) {
    wait_for_room(ring);
    *number = ring->n_taken;
    memset(thing_at(ring, *number), 0, ring->steps->size);
    ring->over = !ring->steps->take(ring->closure, thing_at(ring, *number));
    ring->n_taken += !ring->over;
  }
  const bool taken = !ring->over;
  pthread_mutex_unlock(&ring->taking);
  return taken;
}

static void see_off(struct ring *ring, size_t number) {
  pthread_mutex_lock(&ring->leaving);
  ring->done[number % ring->room] = true;
  while (ring->done[ring->n_left % ring->room]) {
    ring->done[ring->n_left % ring->room] = false;
    ring->steps->leave(ring->closure, thing_at(ring, ring->n_left));
    ring->n_left++;
    pthread_cond_broadcast(&ring->left);
  }
  pthread_mutex_unlock(&ring->leaving);
}

static void work_through(void *closure, int index, cam_context *context) {
  struct ring *ring = closure;
  size_t number;
  (void)index;
  while (take_one(ring, &number)) {
    ring->steps->work(ring->closure, thing_at(ring, number), context);
    see_off(ring, number);
  }
}

bool in_order(cam_context *context, int threads, const in_order_steps *steps, void *closure) {
  struct ring ring = {.steps = steps,
                      .closure = closure,
                      .room = 2 * (size_t)threads,
                      .taking = PTHREAD_MUTEX_INITIALIZER,
                      .leaving = PTHREAD_MUTEX_INITIALIZER,
                      .left = PTHREAD_COND_INITIALIZER};
  ring.done = calloc(ring.room, sizeof *ring.done);
  ring.things = calloc(ring.room, steps->size);
  const bool begun = ring.done && ring.things;
  if (begun && threads == 1)
    work_through(&ring, 0, context);
  else if (begun)
    cam_spread(context, threads, work_through, &ring);
  free(ring.done);
  free(ring.things);
  return begun;
}
