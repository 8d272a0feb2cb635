/* queue.c - a linked list under one mutex: it is held for a few instructions, twice a request.
 * Flow: http -> [queue] -> worker.   Thread: any. */
#include "queue.h"
#include "job.h"
#include <pthread.h>
#include <stdlib.h>

struct list {
  struct job *first, *last;
};

struct queue {
  pthread_mutex_t mutex;
  pthread_cond_t changed;        /* a job came, closed became true, or a party is over */
  struct list waiting, returned; /* returned: those that had been set aside; they come first */
  int length, capacity;
  int aside;  /* jobs taken that still wait */
  int takers; /* threads that wait for a job */
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

static void link_last(struct queue *queue, struct list *list, struct job *job) {
  job->next = NULL;
  if (list->last)
    list->last->next = job;
  else
    list->first = job;
  list->last = job;
  queue->length++;
  pthread_cond_signal(&queue->changed);
}

/* The list of the job that is next; its first is NULL where there is none. */
static struct list *next_list(struct queue *queue) {
  if (queue->returned.first)
    return &queue->returned;
  return &queue->waiting;
}

cam_code queue_put(struct queue *queue, struct job *job) {
  pthread_mutex_lock(&queue->mutex);
  cam_code code = CAM_OK;
  if (queue->closed)
    code = CAM_E_NOT_READY;
  else if (queue->length + queue->aside >= queue->capacity)
    code = CAM_E_BUSY;
  else
    link_last(queue, &queue->waiting, job);
  pthread_mutex_unlock(&queue->mutex);
  return code;
}

static struct job *unlink_first(struct queue *queue) {
  struct list *list = next_list(queue);
  struct job *job = list->first;
  if (!job)
    return NULL;
  list->first = job->next;
  if (!list->first)
    list->last = NULL;
  queue->length--;
  job->next = NULL;
  return job;
}

struct job *queue_take(struct queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  queue->takers++;
  while (!queue->length && !queue->closed)
    pthread_cond_wait(&queue->changed, &queue->mutex);
  queue->takers--;
  struct job *job = unlink_first(queue);
  pthread_mutex_unlock(&queue->mutex);
  return job;
}

/* A job that comes alone is shared by a whole team, so a team's threads that serve a job each begin
 * this together and end it together, as a party: the thread that runs dry first waits for the
 * slowest in any case, and may as well wait for a job. Hence the rule: who finds the queue empty
 * stays while any of the party works, and takes what arrives meanwhile.
 *
 * party->working counts the threads that are not in here: each serves a job, or is on its way to
 * its first call. A thread leaves the count as it enters and joins it again as it goes with a job
 * in its hands, both under the mutex. So where working is 0, every thread of the party is in here
 * or has left for good, and none can bring more.
 *
 * The party is over in two cases, and who sees it first wakes the others, to see it too:
 *   - the queue is empty and working is 0;
 *   - the next job is of another generation, for which this party's contexts are the wrong ones. It
 *     stays at the front, for a worker in queue_take. A thread of the party that still works looks
 *     for itself when it comes back, and goes on if the front is theirs again.
 *
 * takers counts those who wait in here too: a job that they are about to take is no surplus. */
struct job *queue_take_together(struct queue *queue, struct queue_party *party) {
  struct job *job = NULL;
  pthread_mutex_lock(&queue->mutex);
  party->working--;
  queue->takers++;
  while (!queue->length && party->working)
    pthread_cond_wait(&queue->changed, &queue->mutex);
  queue->takers--;
  const struct job *next = next_list(queue)->first;
  if (next && next->generation == party->generation)
    job = unlink_first(queue);
  if (job)
    party->working++;
  else
    pthread_cond_broadcast(&queue->changed);
  pthread_mutex_unlock(&queue->mutex);
  return job;
}

static void count_aside(struct queue *queue, int more) {
  pthread_mutex_lock(&queue->mutex);
  queue->aside += more;
  pthread_mutex_unlock(&queue->mutex);
}

void queue_set_aside(struct queue *queue) { count_aside(queue, 1); }
void queue_not_aside(struct queue *queue) { count_aside(queue, -1); }

void queue_put_back(struct queue *queue, struct job *job) {
  pthread_mutex_lock(&queue->mutex);
  queue->aside--;
  link_last(queue, &queue->returned, job);
  pthread_mutex_unlock(&queue->mutex);
}

int queue_surplus(struct queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  int surplus = queue->length - queue->takers;
  pthread_mutex_unlock(&queue->mutex);
  return surplus < 0 ? 0 : surplus;
}

int queue_length(struct queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  int length = queue->length + queue->aside;
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
