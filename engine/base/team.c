/* team.c - the threads of one worker. A waiting thread spins for some tens of microseconds, the
 * length of the gap between two layers, then sleeps on a condition variable. Indices are taken one
 * by one from a shared counter. */
#include "team.h"
#include "cam_engine.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SPINS = 2000 };

struct cam_team {
  int threads;     /* the caller of team_for included */
  team_work *work; /* of the current loop */
  void *closure;
  int n;
  atomic_int next;     /* first index not yet taken */
  atomic_int running;  /* helpers still in the current loop */
  atomic_uint loops;   /* loops begun; a change wakes the helpers */
  atomic_int sleepers; /* threads on one of the two conditions below */
  atomic_bool quit;
  pthread_mutex_t mutex;
  pthread_cond_t begun, ended;
  int started; /* helpers to join */
  struct helper {
    cam_team *team;
    int thread;
    pthread_t id;
  } helpers[CAM_MAX_TEAM];
};

static inline void pause_briefly(void) {
#if defined __x86_64__
  __builtin_ia32_pause();
#elif defined __aarch64__
  /* As long as a pause of x86; yield takes no time on most cores (rust-lang/rust, #84725). */
  __asm__ volatile("isb");
#endif
}

static void take_indices(cam_team *team, int thread) {
  for (;;) {
    const int i = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
    if (i >= team->n)
      return;
    team->work(team->closure, i, thread);
  }
}

static bool has_begun(cam_team *team, unsigned seen) {
  return atomic_load(&team->loops) != seen || atomic_load(&team->quit);
}
static bool has_ended(cam_team *team, unsigned unused) {
  (void)unused;
  return !atomic_load(&team->running);
}

/* Returns when done(team, seen); whoever makes it true calls wake_team() afterwards. */
static void wait_for(cam_team *team, bool (*done)(cam_team *, unsigned), unsigned seen,
                     pthread_cond_t *condition) {
  for (int i = 0; i < SPINS; i++) {
    if (done(team, seen))
      return;
    pause_briefly();
  }
  pthread_mutex_lock(&team->mutex);
  atomic_fetch_add(&team->sleepers, 1);
  while (!done(team, seen))
    pthread_cond_wait(condition, &team->mutex);
  atomic_fetch_sub(&team->sleepers, 1);
  pthread_mutex_unlock(&team->mutex);
}

static void wake_team(cam_team *team, pthread_cond_t *condition) {
  if (!atomic_load(&team->sleepers))
    return; /* a thread that is about to sleep adds itself, then looks once more */
  pthread_mutex_lock(&team->mutex);
  pthread_cond_broadcast(condition);
  pthread_mutex_unlock(&team->mutex);
}

static void *help(void *argument) {
  struct helper *self = argument;
  cam_team *team = self->team;
  for (unsigned seen = 0;; seen++) {
    wait_for(team, has_begun, seen, &team->begun);
    if (atomic_load(&team->quit))
      return NULL;
    take_indices(team, self->thread);
    if (atomic_fetch_sub(&team->running, 1) == 1)
      wake_team(team, &team->ended);
  }
}

cam_code team_create(int threads, cam_team **out, cam_error *error) {
  *out = NULL;
  if (threads < 1 || threads > CAM_MAX_TEAM)
    return cam_fail(error, CAM_E_PARAMETER, "threads: %d; allowed are 1 to %d", threads,
                    CAM_MAX_TEAM);
  cam_team *team = calloc(1, sizeof *team);
  if (!team)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a team of %d threads", threads);
  team->threads = threads;
  pthread_mutex_init(&team->mutex, NULL);
  pthread_cond_init(&team->begun, NULL);
  pthread_cond_init(&team->ended, NULL);
  for (int i = 1; i < threads; i++) {
    struct helper *helper = &team->helpers[team->started];
    *helper = (struct helper){team, i, 0};
    int failed = pthread_create(&helper->id, NULL, help, helper);
    if (failed) {
      team_free(team);
      return cam_fail(error, CAM_E_NO_MEMORY, "thread %d of a team of %d cannot be started", i,
                      threads);
    }
    team->started++;
  }
  *out = team;
  return CAM_OK;
}

void team_free(cam_team *team) {
  if (!team)
    return;
  atomic_store(&team->quit, true);
  wake_team(team, &team->begun);
  for (int i = 0; i < team->started; i++)
    pthread_join(team->helpers[i].id, NULL);
  pthread_cond_destroy(&team->ended);
  pthread_cond_destroy(&team->begun);
  pthread_mutex_destroy(&team->mutex);
  free(team);
}

int team_threads(const cam_team *team) { return team->threads; }

void team_for(cam_team *team, int n, team_work *work, void *closure) {
  if (team->threads == 1 || n <= 1) {
    for (int i = 0; i < n; i++)
      work(closure, i, 0);
    return;
  }
  team->work = work;
  team->closure = closure;
  team->n = n;
  atomic_store_explicit(&team->next, 0, memory_order_relaxed);
  atomic_store_explicit(&team->running, team->threads - 1, memory_order_relaxed);
  atomic_fetch_add(&team->loops, 1);
  wake_team(team, &team->begun);
  take_indices(team, 0);
  wait_for(team, has_ended, 0, &team->ended);
}
