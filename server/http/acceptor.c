/* acceptor.c - acceptor.h. Flow: listener -> [acceptor] -> http.   Thread: its own; told of the
 * sockets' ends by any.
 *
 * Idea: a seat for each connection, found by its socket's number, tells what is known of it. A seat
 * is taken when a socket is accepted, before it is handed over, and given back when its owner says
 * that it is about to close it. An owner that could not begin (no memory) closes a socket without a
 * word: such a seat is found when the number comes again, since accept(2) gives no number that is
 * open, or at the limit, when nothing else has happened for a second. */
#include "acceptor.h"
#include "base/log.h"
#include "cam_clock.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
  LOOK_AGAIN_MS = 1000, /* at the limit */
  NO_DESCRIPTOR_MS = 50,
  LAST_MS = 100, /* for connections that are being made when it stops: some round trips */
  AT_ONCE = 64   /* before it looks whether it is to stop */
};
static const double UNHEARD_S = 1;

struct seat {
  enum { FREE, HANDED, OPENED, HEARD } state;
  peer_address address;
  double since; /* seconds of CLOCK_MONOTONIC: it was accepted */
};

struct acceptor {
  acceptor_terms terms;
  struct listener listener; /* socket -1: closed */
  pthread_t thread;
  bool running;
  int wake;              /* eventfd */
  double quiet_until;    /* the thread's: no line about descriptors before */
  pthread_mutex_t mutex; /* guards all below */
  bool stop, full;       /* full: it waits for a seat */
  struct seat *seats;    /* [n_seats], by socket */
  int n_seats;
  int64_t taken; /* seats that are not FREE */
};

static void wake_acceptor(struct acceptor *acceptor) {
  if (eventfd_write(acceptor->wake, 1)) {
  } /* cannot fail below 2^64 wakes */
}

/* ---- seats: all called with the mutex held ---- */

/* Whether an address holds as many seats as it may. All are looked at, which is little beside an
 * accept(2) until there are thousands. */
static bool has_too_many(const struct acceptor *acceptor, const peer_address *address) {
  int64_t n = 0;
  for (int socket = 0; socket < acceptor->n_seats && n < acceptor->terms.per_address; socket++) {
    const struct seat *seat = &acceptor->seats[socket];
    if (seat->state != FREE && !memcmp(&seat->address, address, sizeof *address))
      n++;
  }
  return n >= acceptor->terms.per_address;
}

static void give_back(struct acceptor *acceptor, int socket) {
  if (socket < 0 || socket >= acceptor->n_seats || acceptor->seats[socket].state == FREE)
    return;
  acceptor->seats[socket].state = FREE;
  acceptor->taken--;
  if (acceptor->full)
    wake_acceptor(acceptor);
}

static bool add_seats_for(struct acceptor *acceptor, int socket) {
  if (socket < acceptor->n_seats)
    return true;
  const int n = 2 * socket + 64;
  struct seat *seats = realloc(acceptor->seats, (size_t)n * sizeof *seats);
  if (!seats)
    return false;
  memset(seats + acceptor->n_seats, 0, (size_t)(n - acceptor->n_seats) * sizeof *seats);
  acceptor->seats = seats;
  acceptor->n_seats = n;
  return true;
}

static bool take_seat(struct acceptor *acceptor, int socket, const peer_address *address) {
  const bool limited = !proxies_trust(acceptor->terms.trusted, address);
  give_back(acceptor, socket); /* whoever had the number is gone */
  if (!add_seats_for(acceptor, socket) || (limited && has_too_many(acceptor, address)))
    return false;
  acceptor->seats[socket] = (struct seat){
      .state = HANDED, .address = *address, .since = clock_seconds()};
  acceptor->taken++;
  return true;
}

/* At the limit, and for a second no seat was given back: those that were handed over and never
 * opened are lost. */
static void find_lost(struct acceptor *acceptor) {
  for (int socket = 0; socket < acceptor->n_seats; socket++)
    if (acceptor->seats[socket].state == HANDED)
      give_back(acceptor, socket);
}

/* ---- the thread ---- */

static void admit_socket(struct acceptor *acceptor, int socket, const struct sockaddr *address,
                         socklen_t n) {
  const peer_address peer = peer_address_of(address);
  pthread_mutex_lock(&acceptor->mutex);
  const bool seated = take_seat(acceptor, socket, &peer);
  pthread_mutex_unlock(&acceptor->mutex);
  if (!seated) {
    close(socket);
    atomic_fetch_add(acceptor->terms.refused, 1);
    return;
  }
  if (acceptor->terms.take(acceptor->terms.closure, socket, address, n))
    return;
  acceptor_closed(acceptor, socket);
  atomic_fetch_add(acceptor->terms.refused, 1);
}

/* For want of descriptors or memory nothing can be accepted: it waits, and says so once a second.
 */
static void wait_for_descriptors(struct acceptor *acceptor, int reason) {
  const struct timespec pause = {.tv_nsec = NO_DESCRIPTOR_MS * 1000 * 1000};
  const double now = clock_seconds();
  if (now >= acceptor->quiet_until) {
    log_event("http", "no connection can be accepted: %s", strerror(reason));
    acceptor->quiet_until = now + 1;
  }
  clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* Accepts one connection. False: there is none, or none can be accepted at present. */
static bool accept_one(struct acceptor *acceptor) {
  struct sockaddr_storage address;
  socklen_t n = sizeof address;
  struct sockaddr *generic = (struct sockaddr *)(void *)&address;
  const int socket = accept4(acceptor->listener.socket, generic, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket >= 0) {
    admit_socket(acceptor, socket, generic, n);
    return true;
  }
  switch (errno) {
  case EMFILE:
  case ENFILE:
  case ENOBUFS:
  case ENOMEM:
    wait_for_descriptors(acceptor, errno);
    return false;
  case EAGAIN:
    return false;
  default: /* that one was gone before it was accepted: accept(2) */
    return true;
  }
}

static bool look_for_room(struct acceptor *acceptor, bool waited) {
  pthread_mutex_lock(&acceptor->mutex);
  if (waited && acceptor->full)
    find_lost(acceptor);
  acceptor->full = acceptor->taken >= acceptor->terms.connections;
  const bool room = !acceptor->full;
  pthread_mutex_unlock(&acceptor->mutex);
  return room;
}

static bool is_to_stop(struct acceptor *acceptor) {
  pthread_mutex_lock(&acceptor->mutex);
  const bool stop = acceptor->stop;
  pthread_mutex_unlock(&acceptor->mutex);
  return stop;
}

/* Waits for a connection, if there is room for one, or to be woken. True: it waited in vain. */
static bool wait_for_work(struct acceptor *acceptor, bool room) {
  struct pollfd polls[] = {{acceptor->wake, POLLIN, 0}, {acceptor->listener.socket, POLLIN, 0}};
  eventfd_t count;
  const int ready = poll(polls, room ? 2 : 1, room ? -1 : LOOK_AGAIN_MS);
  if (polls[0].revents && eventfd_read(acceptor->wake, &count)) {
  } /* only empties it */
  return ready == 0;
}

/* Each who has connected is served, whatever the limit, and from then on each is refused. Hushed,
 * nobody can come in between, and those who are half there get a moment. Else they may, so that the
 * end follows at once on the look that finds nobody, and cuts only who comes within those few
 * instructions. For a second at most: who comes all the time never ends. */
static void accept_the_last(struct acceptor *acceptor) {
  struct pollfd coming = {acceptor->listener.socket, POLLIN, 0};
  const double until = clock_seconds() + 1;
  int moment = 0;
  if (listener_hush(&acceptor->listener))
    moment = LAST_MS;
  while (poll(&coming, 1, moment) > 0 && clock_seconds() < until)
    accept_one(acceptor);
  listener_end(&acceptor->listener);
}

static void *accept_all(void *argument) {
  struct acceptor *acceptor = argument;
  bool in_vain = false;
  while (!is_to_stop(acceptor)) {
    const bool room = look_for_room(acceptor, in_vain);
    in_vain = wait_for_work(acceptor, room);
    for (int i = 0; i < AT_ONCE && look_for_room(acceptor, false); i++)
      if (!accept_one(acceptor))
        break;
  }
  accept_the_last(acceptor);
  return NULL;
}

/* ---- beginning and end ---- */

struct acceptor *acceptor_new(const struct listener *listener, const acceptor_terms *terms) {
  struct acceptor *acceptor = calloc(1, sizeof *acceptor);
  if (!acceptor)
    return NULL;
  acceptor->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (acceptor->wake < 0) {
    free(acceptor);
    return NULL;
  }
  acceptor->terms = *terms;
  acceptor->listener = *listener;
  pthread_mutex_init(&acceptor->mutex, NULL);
  return acceptor;
}

bool acceptor_start(struct acceptor *acceptor) {
  acceptor->running = !pthread_create(&acceptor->thread, NULL, accept_all, acceptor);
  return acceptor->running;
}

void acceptor_stop(struct acceptor *acceptor) {
  if (acceptor->running) {
    pthread_mutex_lock(&acceptor->mutex);
    acceptor->stop = true;
    pthread_mutex_unlock(&acceptor->mutex);
    wake_acceptor(acceptor);
    pthread_join(acceptor->thread, NULL);
    acceptor->running = false;
  }
  if (acceptor->listener.socket >= 0)
    close(acceptor->listener.socket);
  acceptor->listener.socket = -1;
}

void acceptor_free(struct acceptor *acceptor) {
  if (!acceptor)
    return;
  free(acceptor->seats);
  pthread_mutex_destroy(&acceptor->mutex);
  close(acceptor->wake);
  free(acceptor);
}

/* ---- what becomes of a socket ---- */

static void set_state(struct acceptor *acceptor, int socket, int state) {
  pthread_mutex_lock(&acceptor->mutex);
  if (socket >= 0 && socket < acceptor->n_seats && acceptor->seats[socket].state != FREE)
    acceptor->seats[socket].state = state;
  pthread_mutex_unlock(&acceptor->mutex);
}

void acceptor_opened(struct acceptor *acceptor, int socket) { set_state(acceptor, socket, OPENED); }
void acceptor_heard(struct acceptor *acceptor, int socket) { set_state(acceptor, socket, HEARD); }

void acceptor_closed(struct acceptor *acceptor, int socket) {
  pthread_mutex_lock(&acceptor->mutex);
  give_back(acceptor, socket);
  pthread_mutex_unlock(&acceptor->mutex);
}

int acceptor_unheard(struct acceptor *acceptor) {
  const double least = clock_seconds() - UNHEARD_S;
  int n = 0;
  pthread_mutex_lock(&acceptor->mutex);
  for (int socket = 0; socket < acceptor->n_seats; socket++) {
    const struct seat *seat = &acceptor->seats[socket];
    if ((seat->state == HANDED || seat->state == OPENED) && seat->since > least)
      n++;
  }
  pthread_mutex_unlock(&acceptor->mutex);
  return n;
}
