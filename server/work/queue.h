/* queue.h - the bounded queue between the HTTP threads and the workers, first in, first out.
 * Implemented in server/work/queue.c. Any thread. */
#ifndef QUEUE_H
#define QUEUE_H
#include "cam_error.h"

struct generation;
struct job;
struct queue;

struct queue *queue_create(int capacity); /* NULL: no memory */
void queue_free(struct queue *queue);     /* must be empty; NULL is allowed */

/* CAM_OK: the queue owns the job. CAM_E_BUSY: it is full, CAM_E_NOT_READY: it is closed; the job is
 * still yours. */
cam_code queue_put(struct queue *queue, struct job *job);
/* Waits for a job; the caller owns it. NULL: the queue is closed and empty. */
struct job *queue_take(struct queue *queue);
/* Threads that take jobs of one generation together, until none of them has anything to do. */
struct queue_party {
  const struct generation *generation;
  int working; /* begins as the number of threads; then the queue's alone, under its mutex */
};
/* For a thread of the party that is about to begin, or done with the job it had: the next job, if
 * it is of the party's generation, waiting for one while the queue is empty and any other of the
 * party works. NULL: the party is over, and this thread takes no more for it. */
struct job *queue_take_together(struct queue *queue, struct queue_party *party);
/* A job that was taken waits elsewhere, and still counts as waiting, until it is put back: before
 * all that were not set aside, behind those put back before it, whether the queue is closed or not.
 * Someone who takes jobs must be at work till then. */
void queue_set_aside(struct queue *queue);
void queue_not_aside(struct queue *queue); /* it waits no longer, and goes on as it was taken */
void queue_put_back(struct queue *queue, struct job *job);
/* Jobs that wait beyond those that other threads in queue_take are about to take. */
int queue_surplus(struct queue *queue);
int queue_length(struct queue *queue); /* those set aside included */
int queue_capacity(const struct queue *queue);
/* No job gets in any more; those inside are still given out. */
void queue_close(struct queue *queue);

#endif
