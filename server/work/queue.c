/* queue.c - a linked list under one mutex: it is held for a few instructions, twice a request. */
#include "queue.h"
#include "job.h"
#include <pthread.h>
#include <stdlib.h>

struct queue {
  pthread_mutex_t mutex;
  pthread_cond_t changed; /* a job came, or closed became true */
  struct job *first, *last;
  int length, capacity;
  int takers; /* threads in queue_take */
  bool closed;
};

struct queue *queue_create(int capacity) {
  struct queue *queue = calloc(1, sizeof *queue);
  if (!queue)
    return NULL;
  queue->capacity = capacity;
  pthread_mutex_init(&queue->mutex, NULL);
  pthread_cond_init(&queue->changed, NULL);
  return queue;
}

void queue_free(struct queue *queue) {
  if (!queue)
    return;
  pthread_cond_destroy(&queue->changed);
  pthread_mutex_destroy(&queue->mutex);
  free(queue);
}

cam_code queue_put(struct queue *queue, struct job *job) {
  pthread_mutex_lock(&queue->mutex);
  cam_code code = queue->closed                      ? CAM_E_NOT_READY
                  : queue->length == queue->capacity ? CAM_E_BUSY
                                                     : CAM_OK;
  if (!code) {
    job->next = NULL;
    if (queue->last)
      queue->last->next = job;
    else
      queue->first = job;
    queue->last = job;
    queue->length++;
    pthread_cond_signal(&queue->changed);
  }
  pthread_mutex_unlock(&queue->mutex);
  return code;
}

static struct job *unlink_first(struct queue *queue) {
  struct job *job = queue->first;
  if (!job)
    return NULL;
  queue->first = job->next;
  if (!queue->first)
    queue->last = NULL;
  queue->length--;
  job->next = NULL;
  return job;
}

struct job *queue_take(struct queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  queue->takers++;
  while (!queue->first && !queue->closed)
    pthread_cond_wait(&queue->changed, &queue->mutex);
  queue->takers--;
  struct job *job = unlink_first(queue);
  pthread_mutex_unlock(&queue->mutex);
  return job;
}

struct job *queue_take_together(struct queue *queue, const struct generation *generation,
                                int *busy) {
  pthread_mutex_lock(&queue->mutex);
  --*busy;
  queue->takers++;
  while (!queue->first && *busy)
    pthread_cond_wait(&queue->changed, &queue->mutex);
  queue->takers--;
  struct job *job = queue->first && queue->first->generation == generation ? unlink_first(queue)
                                                                           : NULL;
  if (job)
    ++*busy;
  else
    pthread_cond_broadcast(&queue->changed); /* the others need not wait any longer; and a job of
                                                another generation is for any worker */
  pthread_mutex_unlock(&queue->mutex);
  return job;
}

int queue_surplus(struct queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  int surplus = queue->length > queue->takers ? queue->length - queue->takers : 0;
  pthread_mutex_unlock(&queue->mutex);
  return surplus;
}

int queue_length(struct queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  int length = queue->length;
  pthread_mutex_unlock(&queue->mutex);
  return length;
}

int queue_capacity(const struct queue *queue) { return queue->capacity; }

void queue_close(struct queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  queue->closed = true;
  pthread_cond_broadcast(&queue->changed);
  pthread_mutex_unlock(&queue->mutex);
}
