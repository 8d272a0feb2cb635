/* watch.c - one thread that sleeps until something is armed, then looks a few times a second.
 * Flow: http -> [watch] -> sockets.   Thread: its own; called from any. */
#include "watch.h"
#include "cam_clock.h"
#include <errno.h>
#include <linux/tcp.h> /* netinet/tcp.h of glibc 2.36 has no tcpi_bytes_received */
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* TCP_CLOSE, TCP_CLOSE_WAIT of netinet/tcp.h, which does not go with linux/tcp.h */
enum { TCP_CLOSE_STATE = 7, TCP_CLOSE_WAIT_STATE = 8 };
enum { LINGERERS = 256, TICK_MS = 200, LINGER_BYTES_A_LOOK = 1 << 20 };
static const double LINGER_S = 2;

struct watched {
  int socket;
  double until;
  bool expired;
  uint64_t marked; /* bytes that had come at watch_mark, and one; the connection's thread alone
                      touches it */
  struct watched *next, **link; /* link: the pointer that points here */
};

struct lingerer {
  int socket;
  double until;
};

struct watch {
  pthread_t thread;
  int wake;                       /* eventfd: something changed while it slept */
  struct lingerer own[LINGERERS]; /* [n_own], the thread's: read without the mutex */
  int n_own;
  pthread_mutex_t mutex; /* guards all below */
  struct watched *first;
  bool asleep, armed, stop; /* armed: it sleeps for a tick at most */
  int n_lingering;          /* its own, and those that have just come: */
  int n_new;
  struct lingerer new_ones[LINGERERS];
};

/* Called with the mutex held. */
static void wake(struct watch *watch) {
  if (!watch->asleep)
    return;
  watch->asleep = false;
  if (eventfd_write(watch->wake, 1)) {
  } /* cannot fail below 2^64 wakes */
}

static struct tcp_info info_of(int socket) {
  struct tcp_info info = {0};
  socklen_t n = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &n))
    info = (struct tcp_info){0};
  return info;
}

/* Under epoll the library misses an end of stream that comes together with data. */
static bool peer_closed(int socket) {
  const int state = info_of(socket).tcpi_state;
  return state == TCP_CLOSE_WAIT_STATE || state == TCP_CLOSE_STATE;
}

/* Shuts down what is due. Returns true if anything is still armed. Called with the mutex held. */
static bool sweep(struct watch *watch, double now) {
  bool armed = watch->n_lingering > 0;
  for (struct watched *one = watch->first; one; one = one->next) {
    if (one->until <= now) {
      one->expired = !peer_closed(one->socket);
      one->until = INFINITY;
      shutdown(one->socket, SHUT_RDWR);
    }
    armed |= isfinite(one->until);
  }
  return armed;
}

/* Reads what came on a lingering socket into nothing. False: it has ended, or its time has. */
static bool read_into_nothing(const struct lingerer *one, double now) {
  char nothing[65536];
  ssize_t n = 1;
  for (size_t left = LINGER_BYTES_A_LOOK; left >= sizeof nothing && n > 0; left -= sizeof nothing)
    n = recv(one->socket, nothing, sizeof nothing, MSG_DONTWAIT);
  return now < one->until && (n > 0 || (n < 0 && errno == EAGAIN));
}

/* Closes those that have ended; how many. The thread's, without the mutex: meanwhile others may
 * arm, open and close. */
static int read_lingering(struct watch *watch) {
  const double now = clock_seconds();
  const int before = watch->n_own;
  for (int i = watch->n_own; i-- > 0;) {
    if (read_into_nothing(&watch->own[i], now))
      continue;
    close(watch->own[i].socket);
    watch->n_own--;
    watch->own[i] = watch->own[watch->n_own];
  }
  return before - watch->n_own;
}

/* Called with the mutex held. */
static void take_new(struct watch *watch) {
  memcpy(watch->own + watch->n_own, watch->new_ones,
         (size_t)watch->n_new * sizeof *watch->new_ones);
  watch->n_own += watch->n_new;
  watch->n_new = 0;
}

/* Until something comes on a lingering socket, or it is woken, or a tick is over. */
static void sleep_a_while(struct watch *watch, bool armed) {
  struct pollfd polls[1 + LINGERERS] = {{watch->wake, POLLIN, 0}};
  eventfd_t count;
  for (int i = 0; i < watch->n_own; i++)
    polls[1 + i] = (struct pollfd){watch->own[i].socket, POLLIN, 0};
  poll(polls, (nfds_t)(1 + watch->n_own), armed ? TICK_MS : -1);
  if (polls[0].revents && eventfd_read(watch->wake, &count)) {
  } /* only empties it */
}

static void *run(void *argument) {
  struct watch *watch = argument;
  for (bool stop = false; !stop;) {
    const int ended = read_lingering(watch);
    pthread_mutex_lock(&watch->mutex);
    watch->asleep = false;
    watch->n_lingering -= ended;
    take_new(watch);
    const bool armed = sweep(watch, clock_seconds());
    watch->armed = armed;
    stop = watch->stop;
    watch->asleep = !stop;
    pthread_mutex_unlock(&watch->mutex);
    if (!stop)
      sleep_a_while(watch, armed);
  }
  return NULL;
}

struct watch *watch_start(void) {
  struct watch *watch = calloc(1, sizeof *watch);
  if (!watch)
    return NULL;
  watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_mutex_init(&watch->mutex, NULL);
  if (watch->wake >= 0 && !pthread_create(&watch->thread, NULL, run, watch))
    return watch;
  if (watch->wake >= 0)
    close(watch->wake);
  pthread_mutex_destroy(&watch->mutex);
  free(watch);
  return NULL;
}

void watch_stop(struct watch *watch) {
  if (!watch)
    return;
  pthread_mutex_lock(&watch->mutex);
  watch->stop = true;
  wake(watch);
  pthread_mutex_unlock(&watch->mutex);
  pthread_join(watch->thread, NULL);
  take_new(watch);
  for (int i = 0; i < watch->n_own; i++)
    close(watch->own[i].socket);
  close(watch->wake);
  pthread_mutex_destroy(&watch->mutex);
  free(watch);
}

struct watched *watch_open(struct watch *watch, int socket) {
  struct watched *one = calloc(1, sizeof *one);
  if (!one)
    return NULL;
  one->socket = socket;
  one->until = INFINITY;
  one->marked = 1;
  pthread_mutex_lock(&watch->mutex);
  one->next = watch->first;
  one->link = &watch->first;
  if (one->next)
    one->next->link = &one->next;
  watch->first = one;
  pthread_mutex_unlock(&watch->mutex);
  return one;
}

void watch_until(struct watch *watch, struct watched *one, double when) {
  if (!one)
    return;
  pthread_mutex_lock(&watch->mutex);
  one->until = when;
  if (isfinite(when) && !watch->armed)
    wake(watch); /* else it looks within a tick */
  pthread_mutex_unlock(&watch->mutex);
}

bool watch_expired(struct watch *watch, const struct watched *one) {
  if (!one)
    return false;
  pthread_mutex_lock(&watch->mutex);
  bool expired = one->expired;
  pthread_mutex_unlock(&watch->mutex);
  return expired;
}

/* Bytes that came on a TCP connection so far, read or not (tcp(7), RFC 4898
 * tcpEStatsAppHCThruOctetsReceived); 0 where the kernel does not tell. */
static uint64_t bytes_received(int socket) { return info_of(socket).tcpi_bytes_received; }

/* The end of the client's stream counts as one byte: a single one is no sign of anything. */
bool watch_has_moved(const struct watched *one) {
  return one && bytes_received(one->socket) > one->marked;
}

void watch_mark(struct watched *one, bool last) {
  if (one)
    one->marked = last ? UINT64_MAX : bytes_received(one->socket) + 1;
}

void watch_close(struct watch *watch, struct watched *one) {
  if (!one)
    return;
  pthread_mutex_lock(&watch->mutex);
  *one->link = one->next;
  if (one->next)
    one->next->link = one->link;
  pthread_mutex_unlock(&watch->mutex);
  free(one);
}

void watch_linger(struct watch *watch, int socket) {
  pthread_mutex_lock(&watch->mutex);
  bool room = watch->n_lingering < LINGERERS;
  if (room) {
    watch->new_ones[watch->n_new++] = (struct lingerer){socket, clock_seconds() + LINGER_S};
    watch->n_lingering++;
    wake(watch);
  }
  pthread_mutex_unlock(&watch->mutex);
  if (!room)
    close(socket);
}
