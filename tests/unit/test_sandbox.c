/* test_sandbox.c - the filter of system calls: what serving takes goes on, opening for writing,
 * sockets and executable memory are refused, another program or process is the end. Each try in a
 * process of its own, since the filter cannot be taken off. */
#include "run/sandbox.h"
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Made before the filter is on. */
static char path[] = "/tmp/test_sandbox_XXXXXX";
static int pair[2], unconnected, datagrams, listening, other;
static struct sockaddr_in target; /* where other listens */
static const struct sockaddr_in loopback = {
    .sin_family = AF_INET, .sin_port = 9, .sin_addr = {0x0100007f}};
static const struct sockaddr *const address = (const struct sockaddr *)(const void *)&loopback;

static int hush_before; /* an error number */
static int attach_filter(void) {
  struct sock_filter keep = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
  const struct sock_fprog program = {1, &keep};
  if (setsockopt(listening, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program))
    return errno;
  return 0;
}

static void prepare(void) {
  strcpy(path + sizeof path - 7, "XXXXXX");
  int file = mkstemp(path);
  ck_assert_int_eq(write(file, "text", 4), 4);
  close(file);
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  unconnected = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  datagrams = socket(AF_INET, SOCK_DGRAM, 0);
  listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  other = socket(AF_INET, SOCK_STREAM, 0);
  ck_assert_int_eq(
      listen(listening, 5) | listen(other, 5) |
          getsockname(other, (struct sockaddr *)(void *)&target, &(socklen_t){sizeof target}),
      0);
  hush_before = attach_filter();
}

static void clean(void) {
  const int sockets[] = {pair[0], pair[1], unconnected, datagrams, listening, other};
  for (int i = 0; i < 6; i++)
    close(sockets[i]);
  unlink(path);
}

static bool can_be_filtered(void) {
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  return false;
#else
  return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0; /* EINVAL: a kernel without it */
#endif
}

/* ---- tries: 0 or the error ---- */

static int of(long result) { return result < 0 ? errno : 0; }
static int opened(int flags) {
  int file = open(path, flags | O_CLOEXEC, 0600);
  if (file >= 0)
    close(file);
  return of(file);
}
static int mapped(int protection) {
  void *memory = mmap(NULL, 1 << 20, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? errno : of(munmap(memory, 1 << 20));
}

static int reads_a_file(void) {
  char text[8];
  FILE *file = fopen(path, "re");
  if (!file)
    return errno;
  int failed = fgets(text, sizeof text, file) && !strcmp(text, "text") ? 0 : EIO;
  fclose(file);
  return failed;
}
static int lists_a_folder(void) {
  DIR *folder = opendir("/proc/self/fd");
  if (!folder)
    return errno;
  int n = 0;
  while (readdir(folder))
    n++;
  closedir(folder);
  return n > 2 ? 0 : EIO;
}
static void *nothing(void *argument) { return argument; }
static int makes_a_thread(void) {
  pthread_t thread;
  int failed = pthread_create(&thread, NULL, nothing, NULL);
  return failed ? failed : pthread_join(thread, NULL);
}
static int takes_memory(void) {
  volatile char *small = malloc(1000), *large = malloc(64 << 20);
  if (!small || !large)
    return ENOMEM;
  large[32 << 20] = small[999] = 1;
  large = realloc((void *)large, 96 << 20);
  free((void *)small);
  free((void *)large);
  return large ? 0 : ENOMEM;
}
static int talks(void) {
  char byte;
  if (send(pair[0], "x", 1, MSG_NOSIGNAL) != 1 || recv(pair[1], &byte, 1, MSG_DONTWAIT) != 1 ||
      write(pair[1], "y", 1) != 1)
    return EIO;
  return of(shutdown(pair[0], SHUT_RDWR));
}
static int accepts(void) {
  const int came = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
  if (came >= 0) /* another test's, which tried whether the port is free */
    return of(close(came));
  return errno == EAGAIN ? 0 : errno;
}
static int asks_for_chance(void) {
  return of(syscall(SYS_getrandom, (char[8]){0}, 8, GRND_NONBLOCK));
}
static int asks_for_limits(void) { return of(getrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0})); }
static int duplicates(void) { return of(fcntl(pair[0], F_DUPFD_CLOEXEC, 0)); }
static int protects(void) { return mapped(PROT_NONE) ? EIO : mapped(PROT_READ | PROT_WRITE); }

static int opens_to_write(void) { return opened(O_WRONLY); }
static int opens_to_change(void) { return opened(O_RDWR); }
static int opens_anew(void) { return opened(O_WRONLY | O_CREAT | O_TRUNC); }
static int opens_to_create(void) { return opened(O_RDONLY | O_CREAT); }
static int opens_to_empty(void) { return opened(O_RDONLY | O_TRUNC); }
static int opens_unnamed(void) { return of(open("/tmp", O_TMPFILE | O_RDWR, 0600)); }
static int removes(void) { return of(unlink(path)); }
static int renames(void) { return of(rename(path, "/tmp/elsewhere")); }
static int makes_a_folder(void) { return of(mkdir("/tmp/test_sandbox_folder", 0700)); }
static int makes_a_socket(void) { return of(socket(AF_INET, SOCK_STREAM, 0)); }
static int connects(void) { return of(connect(unconnected, address, sizeof loopback)); }
static int binds(void) { return of(bind(unconnected, address, sizeof loopback)); }
static int maps_code(void) { return mapped(PROT_READ | PROT_EXEC); }
static int makes_code(void) {
  void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return of(mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}
static int makes_a_hidden_file(void) { return of(memfd_create("code", 0)); }
/* A listening socket that was shut down is an unconnected one again, and TCP fast open connects by
 * sending (tcp(7)): no socket(2), no connect(2). */
static int connects_by_sending(void) {
  const struct msghdr message = {.msg_name = &target,
                                 .msg_namelen = sizeof target,
                                 .msg_iov = &(struct iovec){(char[]){"x"}, 1},
                                 .msg_iovlen = 1};
  shutdown(listening, SHUT_RD);
  const int failed = of(sendmsg(listening, &message, MSG_FASTOPEN | MSG_NOSIGNAL));
  listen(listening, 5);
  return failed == EINPROGRESS || failed == EOPNOTSUPP /* net.ipv4.tcp_fastopen is 0 */ ? 0
                                                                                        : failed;
}
static int signals_another(void) { return of(kill(getppid(), 0)); }

static int sends_elsewhere(void) {
  return of(sendto(datagrams, "x", 1, 0, address, sizeof loopback));
}
static int changes_a_limit(void) { return of(setrlimit(RLIMIT_NOFILE, &(struct rlimit){10, 10})); }
static int types_for_others(void) { return of(ioctl(0, TIOCSTI, "x")); }
static int asks_for_signals(void) { return of(fcntl(pair[0], F_SETOWN, 1)); }
static int tunes_tcp(void) {
  int on = 1;
  socklen_t n = sizeof on;
  if (setsockopt(listening, IPPROTO_TCP, TCP_NODELAY, &on, n))
    return errno;
  return of(getsockopt(listening, IPPROTO_TCP, TCP_NODELAY, &on, &n));
}
/* As the listener does before it is closed; the level of this option's number matters to nobody.
 * Some containers allow it to nobody: then it must fail as it did before the filter was put on. */
static int hushes_a_listener(void) {
  const int got = attach_filter();
  if (got == hush_before)
    return 0;
  return got ? got : EIO;
}
static int listens(void) { return of(listen(unconnected, 5)); }
static int tunes_sockets(void) {
  return of(setsockopt(listening, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int)));
}
static int clones_anew(void) { return of(syscall(SYS_clone3, (uint64_t[8]){0}, 64)); }
static int threads_of_others(void) { return of(syscall(SYS_tgkill, getppid(), getppid(), 0)); }

static const struct attempt {
  const char *name;
  int (*make)(void);
  int expected;
} attempts[] = {
#define ATTEMPT(make, expected) \
  { #make, make, expected }
    ATTEMPT(reads_a_file, 0),
    ATTEMPT(lists_a_folder, 0),
    ATTEMPT(makes_a_thread, 0),
    ATTEMPT(takes_memory, 0),
    ATTEMPT(talks, 0),
    ATTEMPT(accepts, 0),
    ATTEMPT(asks_for_chance, 0),
    ATTEMPT(asks_for_limits, 0),
    ATTEMPT(duplicates, 0),
    ATTEMPT(tunes_tcp, 0),
    ATTEMPT(hushes_a_listener, 0),
    ATTEMPT(protects, 0),
    ATTEMPT(opens_to_write, EPERM),
    ATTEMPT(opens_to_change, EPERM),
    ATTEMPT(opens_anew, EPERM),
    ATTEMPT(opens_to_create, EPERM),
    ATTEMPT(opens_to_empty, EPERM),
    ATTEMPT(opens_unnamed, EPERM),
    ATTEMPT(removes, EPERM),
    ATTEMPT(renames, EPERM),
    ATTEMPT(makes_a_folder, EPERM),
    ATTEMPT(makes_a_socket, EPERM),
    ATTEMPT(connects, EPERM),
    ATTEMPT(binds, EPERM),
    ATTEMPT(listens, EPERM),
    ATTEMPT(maps_code, EPERM),
    ATTEMPT(makes_code, EPERM),
    ATTEMPT(makes_a_hidden_file, EPERM),
    ATTEMPT(signals_another, EPERM),
    ATTEMPT(connects_by_sending, EPERM),
    ATTEMPT(sends_elsewhere, ENOSYS),
    ATTEMPT(changes_a_limit, ENOSYS),
    ATTEMPT(types_for_others, ENOSYS),
    ATTEMPT(asks_for_signals, ENOSYS),
    ATTEMPT(tunes_sockets, ENOSYS),
    ATTEMPT(clones_anew, ENOSYS),
    ATTEMPT(threads_of_others, ENOSYS),
};
enum { ATTEMPTS = sizeof attempts / sizeof *attempts, NO_FILTER = 250 };

/* ---- processes ---- */

static int in_child(void (*run)(void)) {
  fflush(NULL);
  pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (!child) {
    run();
    _exit(0);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return status;
}

static void enter(void) {
  cam_error error = {0};
  if (!sandbox_enter(&error))
    return;
  fprintf(stderr, "%s\n", error.detail);
  _exit(NO_FILTER);
}

/* Leaves with the number of the first attempt that ended otherwise than expected, from 1. */
static void attempt_all(void) {
  enter();
  for (int i = 0; i < ATTEMPTS; i++) {
    int got = attempts[i].make();
    if (got == attempts[i].expected)
      continue;
    fprintf(stderr, "%s: %s; expected: %s\n", attempts[i].name, strerror(got),
            strerror(attempts[i].expected));
    _exit(1 + i);
  }
}

START_TEST(serving_goes_on_and_the_rest_is_refused) {
  int status = in_child(attempt_all);
  ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "signal %d, attempt %d",
                WTERMSIG(status), WEXITSTATUS(status) - 1);
  ck_assert_int_eq(reads_a_file(), 0); /* whole, and where it was */
}
END_TEST

/* What the attempts try is possible without the filter: else a refusal would prove nothing. Left
 * out: what is lasting or asks more of the machine. */
START_TEST(without_it_all_works) {
  for (int i = 0; i < ATTEMPTS; i++) {
    static int (*const not_here[])(void) = {
        removes,  renames, makes_a_folder, opens_anew,      opens_to_empty,   opens_unnamed,
        connects, binds,   listens,        changes_a_limit, types_for_others, clones_anew};
    bool left_out = false;
    for (size_t k = 0; k < sizeof not_here / sizeof *not_here; k++)
      left_out |= attempts[i].make == not_here[k];
    if (left_out)
      continue;
    int got = attempts[i].make();
    ck_assert_msg(got == 0, "%s: %s", attempts[i].name, strerror(got));
  }
}
END_TEST

/* ---- what ends the process ---- */

static void runs_a_program(void) { execl("/bin/true", "true", (char *)NULL); }
static void forks(void) {
  if (!fork())
    _exit(0);
}
static void forks_by_clone(void) {
  if (!syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
    _exit(0);
}
static void traces(void) { ptrace(PTRACE_TRACEME, 0, 0, 0); }
static void looks_into_another(void) {
  syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}
static void becomes_another(void) {
  if (setuid(getuid())) {
  }
}
static void leaves_its_namespace(void) { unshare(CLONE_FS); }
static void loads_a_filter_program(void) { syscall(SYS_bpf, 0, NULL, 0); }
static void opens_a_ring(void) { syscall(SYS_io_uring_setup, 1, NULL); }
static void (*const ends[])(void) = {
    runs_a_program,     forks,           forks_by_clone,       traces,
    looks_into_another, becomes_another, leaves_its_namespace, loads_a_filter_program,
    opens_a_ring};

static int which;
static void attempt_end(void) {
  enter();
  ends[which]();
}
static void abort_inside(void) {
  enter();
  abort();
}

START_TEST(another_program_or_process_is_the_end) {
  which = _i;
  int status = in_child(attempt_end);
  ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
                "end %d: exit code %d, signal %d", _i, WEXITSTATUS(status), WTERMSIG(status));
}
END_TEST

START_TEST(abort_is_still_abort) {
  int status = in_child(abort_inside);
  ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "signal %d", WTERMSIG(status));
}
END_TEST

/* ---- every thread ---- */

static pthread_barrier_t barrier;
static int seccomp_of_thread = -1, no_new_privs_of_thread = -1;

static void *look_at_status(void *unused) {
  char line[256];
  pthread_barrier_wait(&barrier); /* this thread is older than the filter */
  pthread_barrier_wait(&barrier);
  FILE *file = fopen("/proc/thread-self/status", "re");
  while (file && fgets(line, sizeof line, file)) {
    sscanf(line, "Seccomp: %d", &seccomp_of_thread);
    sscanf(line, "NoNewPrivs: %d", &no_new_privs_of_thread);
  }
  if (file)
    fclose(file);
  return unused;
}

static void enter_beside_a_thread(void) {
  pthread_t thread;
  pthread_barrier_init(&barrier, NULL, 2);
  pthread_create(&thread, NULL, look_at_status, NULL);
  pthread_barrier_wait(&barrier);
  enter();
  pthread_barrier_wait(&barrier);
  pthread_join(thread, NULL);
  _exit(10 * seccomp_of_thread + no_new_privs_of_thread);
}

START_TEST(older_threads_are_filtered_too) {
  int status = in_child(enter_beside_a_thread);
  ck_assert_int_eq(WEXITSTATUS(status), 21); /* SECCOMP_MODE_FILTER, no new privileges */
}
END_TEST

static void prepare_and_look(void) {
  struct rlimit core;
  sandbox_prepare();
  _exit(getrlimit(RLIMIT_CORE, &core) || core.rlim_max ||
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1);
}

START_TEST(no_core_file_and_no_new_privileges) { ck_assert_int_eq(in_child(prepare_and_look), 0); }
END_TEST

static bool says_no(void) {
  cam_error error = {0};
  return sandbox_enter(&error) == CAM_E_IO && error.detail[0];
}
static void enter_twice(void) {
  enter();
  _exit(says_no() ? 0 : 1); /* the filter forbids filters */
}
static void enter_and_write(void) { _exit(says_no() && !opens_to_write() ? 0 : 1); }

START_TEST(where_it_cannot_be_it_says_so) {
  ck_assert_int_eq(in_child(can_be_filtered() ? enter_twice : enter_and_write), 0);
}
END_TEST

Suite *sandbox_suite(void);
Suite *sandbox_suite(void) {
  Suite *suite = suite_create("sandbox");
  TCase *all = tcase_create("all");
  tcase_add_checked_fixture(all, prepare, clean);
  tcase_add_test(all, without_it_all_works);
  tcase_add_test(all, no_core_file_and_no_new_privileges);
  tcase_add_test(all, where_it_cannot_be_it_says_so);
  if (can_be_filtered()) {
    tcase_add_test(all, serving_goes_on_and_the_rest_is_refused);
    tcase_add_loop_test(all, another_program_or_process_is_the_end, 0, sizeof ends / sizeof *ends);
    tcase_add_test(all, abort_is_still_abort);
    tcase_add_test(all, older_threads_are_filtered_too);
  }
  suite_add_tcase(suite, all);
  return suite;
}
