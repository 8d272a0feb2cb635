/* test_queue.c - first in, first out; bounded; closing gives out what is inside; many threads lose
 * and double nothing. */
#include "work/job.h"
#include "work/queue.h"
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

START_TEST(first_in_first_out_and_bounded) {
  struct queue *queue = queue_create(3);
  struct job jobs[4] = {0};
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(queue_put(queue, &jobs[i]), CAM_OK);
  ck_assert_int_eq(queue_put(queue, &jobs[3]), CAM_E_BUSY);
  ck_assert_int_eq(queue_length(queue), 3);
  ck_assert_int_eq(queue_surplus(queue), 3); /* nobody waits for one */
  ck_assert_ptr_eq(queue_take(queue), &jobs[0]);
  ck_assert_int_eq(queue_put(queue, &jobs[3]), CAM_OK);
  queue_close(queue);
  ck_assert_int_eq(queue_put(queue, &jobs[0]), CAM_E_NOT_READY);
  ck_assert_ptr_eq(queue_take(queue), &jobs[1]);
  struct queue_party party = {NULL, 1}; /* alone: there is nobody to wait for */
  for (int i = 2; i < 4; i++)
    ck_assert_ptr_eq(queue_take_together(queue, &party), &jobs[i]);
  ck_assert_ptr_null(queue_take_together(queue, &party));
  ck_assert_int_eq(party.working, 0);
  ck_assert_ptr_null(queue_take(queue));
  ck_assert_ptr_null(queue_take(queue));
  queue_free(queue);
  queue_free(NULL);
}
END_TEST

enum { PUTTERS = 3, TAKERS = 3, EACH = 2000 };
static struct queue *shared;
static atomic_int taken;

static void *put_many(void *argument) {
  struct job *jobs = argument;
  for (int i = 0; i < EACH; i++)
    while (queue_put(shared, &jobs[i]))
      sched_yield();
  return NULL;
}

static void *take_many(void *argument) {
  (void)argument;
  for (struct job *job; (job = queue_take(shared));) {
    job->photos++; /* a plain write: ThreadSanitizer sees if two threads own one job */
    atomic_fetch_add(&taken, 1);
  }
  return NULL;
}

START_TEST(many_threads) {
  pthread_t threads[PUTTERS + TAKERS];
  struct job *jobs = calloc(PUTTERS * EACH, sizeof *jobs);
  shared = queue_create(5);
  for (int i = 0; i < PUTTERS; i++)
    pthread_create(&threads[i], NULL, put_many, jobs + i * EACH);
  for (int i = 0; i < TAKERS; i++)
    pthread_create(&threads[PUTTERS + i], NULL, take_many, NULL);
  for (int i = 0; i < PUTTERS; i++)
    pthread_join(threads[i], NULL);
  queue_close(shared);
  for (int i = 0; i < TAKERS; i++)
    pthread_join(threads[PUTTERS + i], NULL);
  ck_assert_int_eq(atomic_load(&taken), PUTTERS * EACH);
  for (int i = 0; i < PUTTERS * EACH; i++)
    ck_assert_int_eq(jobs[i].photos, 1);
  queue_free(shared);
  free(jobs);
}
END_TEST

static char some, others; /* addresses are all that is looked at */
START_TEST(of_one_generation) {
  struct queue *queue = queue_create(3);
  struct job jobs[2] = {{.generation = (struct generation *)(void *)&some},
                        {.generation = (struct generation *)(void *)&others}};
  /* Of each party the other thread works: it is not waited for where the next job is not theirs. */
  struct queue_party early = {jobs[1].generation, 2}, first = {jobs[0].generation, 2},
                     second = {jobs[1].generation, 2};
  for (int i = 0; i < 2; i++)
    ck_assert_int_eq(queue_put(queue, &jobs[i]), CAM_OK);
  ck_assert_ptr_null(queue_take_together(queue, &early)); /* it is not its turn */
  ck_assert_ptr_eq(queue_take_together(queue, &first), &jobs[0]);
  ck_assert_int_eq(first.working, 2);
  ck_assert_ptr_null(queue_take_together(queue, &first));
  ck_assert_int_eq(first.working, 1);
  ck_assert_ptr_eq(queue_take_together(queue, &second), &jobs[1]);
  queue_free(queue);
}
END_TEST

static struct queue_party together;
static void *take_together(void *argument) {
  const struct job *jobs = argument;
  for (struct job *job; (job = queue_take_together(shared, &together));) {
    job->photos++;
    atomic_fetch_add(&taken, 1);
    if (job < jobs + EACH) /* each of the first half brings one of the second, while some wait and
                              some work */
      while (queue_put(shared, job + EACH))
        sched_yield();
  }
  return NULL;
}

START_TEST(threads_that_take_together_leave_together) {
  pthread_t threads[TAKERS];
  struct job *jobs = calloc(2 * EACH, sizeof *jobs);
  shared = queue_create(2 * EACH);
  together = (struct queue_party){NULL, TAKERS};
  for (int i = 0; i < EACH; i++)
    ck_assert_int_eq(queue_put(shared, &jobs[i]), CAM_OK);
  for (int i = 0; i < TAKERS; i++)
    pthread_create(&threads[i], NULL, take_together, jobs);
  for (int i = 0; i < TAKERS; i++)
    pthread_join(threads[i], NULL); /* the queue is not closed */
  ck_assert_int_eq(atomic_load(&taken), 2 * EACH);
  for (int i = 0; i < 2 * EACH; i++)
    ck_assert_int_eq(jobs[i].photos, 1);
  ck_assert_int_eq(together.working, 0);
  queue_free(shared);
  free(jobs);
}
END_TEST

Suite *queue_suite(void);
Suite *queue_suite(void) {
  Suite *suite = suite_create("queue");
  TCase *tcase = tcase_create("queue");
  tcase_add_test(tcase, first_in_first_out_and_bounded);
  tcase_add_test(tcase, of_one_generation);
  tcase_add_test(tcase, many_threads);
  tcase_add_test(tcase, threads_that_take_together_leave_together);
  suite_add_tcase(suite, tcase);
  return suite;
}
