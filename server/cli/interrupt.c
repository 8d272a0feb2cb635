/* interrupt.c - interrupt.h. The handler notes the signal and writes to an eventfd
 * (signal-safety(7)), which nobody who waits reads: who polls it after that wakes up at once. */
#include "interrupt.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static atomic_int noted;
static int bell = -1;

static void note_signal(int number) {
  const int before = errno;
  const uint64_t one = 1;
  atomic_store(&noted, number);
  if (write(bell, &one, sizeof one) < 0) {
  } /* cannot fail below 2^64 of them */
  errno = before;
}

static void note_all(void) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  const struct sigaction noting = {.sa_handler = note_signal,
                                   .sa_flags = SA_RESETHAND | SA_RESTART};
  struct sigaction there;
  for (int i = 0; i < 3; i++)
    if (!sigaction(numbers[i], NULL, &there) && there.sa_handler != SIG_IGN)
      sigaction(numbers[i], &noting, NULL);
}

bool interrupt_open(void) {
  bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (bell < 0)
    return false;
  note_all();
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  return true;
}

int interrupt_signal(void) { return atomic_load(&noted); }

void interrupt_again(void) {
  uint64_t rung;
  atomic_store(&noted, 0);
  if (read(bell, &rung, sizeof rung) < 0) {
  } /* it has not rung */
  note_all();
}

bool interrupt_wait(int descriptor) {
  struct pollfd both[] = {{descriptor, POLLIN, 0}, {bell, POLLIN, 0}};
  while (!interrupt_signal()) {
    const int n = poll(both, 2, -1);
    if (n > 0 && both[0].revents)
      return !interrupt_signal();
    if (n < 0 && errno != EINTR)
      return true; /* read(2) will say what is wrong */
  }
  return false;
}
