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

struct watch {
  pthread_t thread;
  pthread_mutex_t mutex; /* guards all below but the thread's own */
  struct watched *first;
  int wake;                 /* eventfd: something changed while the thread slept */
  bool asleep, armed, stop; /* armed: it sleeps for a tick at most */
  int n_lingering;
  struct {
    int socket;
    double until;
  } lingering[LINGERERS];
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
static bool read_into_nothing(int socket, double until, double now) {
  char nothing[65536];
  ssize_t n = 1;
  for (size_t left = LINGER_BYTES_A_LOOK; left >= sizeof nothing && n > 0; left -= sizeof nothing)
    n = recv(socket, nothing, sizeof nothing, MSG_DONTWAIT);
  return now < until && (n > 0 || (n < 0 && errno == EAGAIN));
}

static void *run(void *argument) {
  struct watch *watch = argument;
  struct pollfd polls[1 + LINGERERS];
  pthread_mutex_lock(&watch->mutex);
  while (!watch->stop) {
    double now = clock_seconds();
    watch->armed = sweep(watch, now);
    for (int i = watch->n_lingering; i-- > 0;) {
      if (read_into_nothing(watch->lingering[i].socket, watch->lingering[i].until, now))
        continue;
      close(watch->lingering[i].socket);
      watch->lingering[i] = watch->lingering[--watch->n_lingering];
    }
    int n = watch->n_lingering;
    polls[0] = (struct pollfd){watch->wake, POLLIN, 0};
    for (int i = 0; i < n; i++)
      polls[1 + i] = (struct pollfd){watch->lingering[i].socket, POLLIN, 0};
    const int most_ms = watch->armed ? TICK_MS : -1;
    watch->asleep = true;
    pthread_mutex_unlock(&watch->mutex);
    poll(polls, (nfds_t)(1 + n), most_ms);
    pthread_mutex_lock(&watch->mutex);
    eventfd_t count;
    if (polls[0].revents && eventfd_read(watch->wake, &count)) {
    } /* only empties it */
    watch->asleep = false;
  }
  pthread_mutex_unlock(&watch->mutex);
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
  for (int i = 0; i < watch->n_lingering; i++)
    close(watch->lingering[i].socket);
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
    watch->lingering[watch->n_lingering].socket = socket;
    watch->lingering[watch->n_lingering++].until = clock_seconds() + LINGER_S;
    wake(watch);
  }
  pthread_mutex_unlock(&watch->mutex);
  if (!room)
    close(socket);
}
