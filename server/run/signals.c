/* signals.c - signals.h. Handlers, not sigwait(3): a library may make a thread before main() can
 * block anything, and what all others block is delivered to that one. So any thread may run the
 * handler, which only notes what came and writes to an eventfd (signal-safety(7)).
 * Flow: the kernel -> [signals] -> service.   Thread: any; waited for by main. */
#include "signals.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static atomic_uint events;
static atomic_bool ending;
static bool nohup; /* hang-ups were ignored when it started: nohup(1) */
static int wake = -1;

static void tell(unsigned event) {
  const uint64_t one = 1;
  atomic_fetch_or(&events, event);
  if (write(wake, &one, sizeof one) < 0) {
  } /* cannot fail below 2^64 of them */
}

static void on_end(int number) {
  const int before = errno;
  (void)number;
  if (atomic_exchange(&ending, true))
    _exit(1);
  tell(SIGNALS_END);
  errno = before;
}

/* By the kernel and not by kill(2): the terminal that camserve ran in is gone (sigaction(2)). */
static void on_hangup(int number, siginfo_t *info, void *context) {
  const int before = errno;
  (void)number;
  (void)context;
  if (info->si_code != SI_KERNEL)
    tell(SIGNALS_RELOAD);
  else if (!nohup)
    tell(SIGNALS_END);
  errno = before;
}

static void mask(int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(how, &set, NULL);
}

bool signals_open(void) {
  wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0)
    return false;
  struct sigaction end = {.sa_handler = on_end, .sa_flags = SA_RESTART},
                   hangup = {.sa_sigaction = on_hangup, .sa_flags = SA_RESTART | SA_SIGINFO};
  sigaction(SIGTERM, &end, NULL);
  sigaction(SIGINT, &end, NULL);
  struct sigaction inherited;
  if (!sigaction(SIGHUP, NULL, &inherited))
    nohup = inherited.sa_handler == SIG_IGN;
  sigaction(SIGHUP, &hangup, NULL);
  signal(SIGPIPE, SIG_IGN); /* a client that left is an error of send(2), not an end */
  mask(SIG_BLOCK);
  return true;
}

unsigned signals_wait(int ms) {
  struct pollfd poll_for = {wake, POLLIN, 0};
  uint64_t count;
  mask(SIG_UNBLOCK);
  if (poll(&poll_for, 1, ms) > 0 && read(wake, &count, sizeof count) < 0) {
  } /* interrupted: whoever did that has noted an event */
  return atomic_exchange(&events, 0);
}

void signals_tell(void) { tell(SIGNALS_TOLD); }
