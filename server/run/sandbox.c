/* sandbox.c - a filter of system calls (seccomp(2)), put on when the service is about to be ready:
 * whoever takes over a thread by a flaw in a decoder finds a process that can answer on the
 * connections that are open, read files and compute, and nothing else. The one file that names
 * libseccomp (2.5).   Thread: main; the filter is put on all at once (SECCOMP_FILTER_FLAG_TSYNC).
 *
 * Four verdicts, so that what is refused can be told from what is broken:
 *
 *   allowed  what serving takes: seen by strace over the black-box tests, and read in the sources
 *            of glibc
 *   EPERM    what a library may try in good faith and can go on without: opening a file for
 *            writing, a socket, executable memory
 *   killed   what nothing in here ever tries: another program, another process, tracing, mounting,
 *            changing identity, kernel interfaces with a history. The whole process ends with
 *            SIGSYS; its supervisor starts it anew
 *   ENOSYS   all else, as if the kernel were too old to have the call: glibc and others then fall
 *            back to calls that are known here. (EPERM as default breaks programs with each new
 *            glibc: https://github.com/opencontainers/runc/issues/2151)
 *
 * Refusals and kills are in the kernel's log: "audit: type=1326 ... syscall=41". Two are expected:
 * clone3, and OpenBLAS' mbind for a new buffer. */
#include "sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* A system call that this machine does not have (SCMP_SYS is negative) makes no rule. */
static const int allowed[] = {
    /* connections that come in */
    SCMP_SYS(accept4),
    SCMP_SYS(recvfrom),
    SCMP_SYS(shutdown), /* sendmsg and sendto are below */
    /* descriptors that are open, and waiting for them */
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    /* files, to be read: /metrics reads /proc/self, a reload reads the model and the keys. Opening
       them is below */
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(getdents64),
    /* memory: mmap and mprotect are below */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    /* threads: clone is below */
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(gettid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* signals: tgkill is below */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(restart_syscall),
    /* clocks (where the vDSO does not answer), chance, and what libraries ask of the machine:
       qsort(3) how much memory it has, GnuTLS who it is */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(getrusage),
    SCMP_SYS(sysinfo),
};

static const int refused[] = {
    SCMP_SYS(socket),    SCMP_SYS(socketpair), SCMP_SYS(connect),  SCMP_SYS(bind),
    SCMP_SYS(listen),    SCMP_SYS(creat),      SCMP_SYS(truncate), SCMP_SYS(ftruncate),
    SCMP_SYS(unlink),    SCMP_SYS(unlinkat),   SCMP_SYS(rename),   SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(link),       SCMP_SYS(linkat),   SCMP_SYS(symlink),
    SCMP_SYS(symlinkat), SCMP_SYS(mkdir),      SCMP_SYS(mkdirat),  SCMP_SYS(rmdir),
    SCMP_SYS(mknod),     SCMP_SYS(mknodat),    SCMP_SYS(chmod),    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),  SCMP_SYS(chown),      SCMP_SYS(fchown),   SCMP_SYS(lchown),
    SCMP_SYS(fchownat),  SCMP_SYS(kill),       SCMP_SYS(tkill),    SCMP_SYS(memfd_create),
};

static const int killed[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(setfsuid),
    SCMP_SYS(setfsgid),
    SCMP_SYS(capset),
    SCMP_SYS(personality),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
};

/* Calls that depend on an argument: (argument `arg` & mask) == value. What fits no row is ENOSYS
 * like a call that is not listed. Of most of these arguments the kernel takes 32 bits; the upper
 * half, which a caller is free to fill, is masked off. */
struct by_argument {
  int call;
  unsigned arg;
  uint64_t mask, value;
  uint32_t action;
};

#define REFUSE SCMP_ACT_ERRNO(EPERM)
#define NUMBER(call, arg, value) \
  { call, arg, UINT32_MAX, (uint32_t)(value), SCMP_ACT_ALLOW }
#define NO_POINTER(call, arg) \
  { call, arg, UINT64_MAX, 0, SCMP_ACT_ALLOW }
#define WITHOUT(call, arg, bits) \
  { call, arg, bits, 0, SCMP_ACT_ALLOW }
#define WITH(call, arg, bit) \
  { call, arg, bit, bit, REFUSE }
#define READ_ONLY(call, arg) /* O_TRUNC: Linux empties a file that is opened for reading, too */ \
  WITHOUT(call, arg, O_ACCMODE | O_CREAT | O_TRUNC), WITH(call, arg, O_WRONLY), \
      WITH(call, arg, O_RDWR), WITH(call, arg, O_CREAT), WITH(call, arg, O_TRUNC)

static const struct by_argument by_argument[] = {
    READ_ONLY(SCMP_SYS(open), 1),
    READ_ONLY(SCMP_SYS(openat), 2),
    WITHOUT(SCMP_SYS(mmap), 2, PROT_EXEC),
    WITH(SCMP_SYS(mmap), 2, PROT_EXEC),
    WITHOUT(SCMP_SYS(mprotect), 2, PROT_EXEC),
    WITH(SCMP_SYS(mprotect), 2, PROT_EXEC),
    /* A thread, not a process. clone3 has its flags in memory, where a filter cannot look: as it is
       ENOSYS, glibc falls back to clone. */
    {SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD, SCMP_ACT_ALLOW},
    {SCMP_SYS(clone), 0, CLONE_THREAD, 0, SCMP_ACT_KILL_PROCESS},
    NO_POINTER(SCMP_SYS(sendto), 4), /* no address: an accepted socket is connected */
    /* An address is in memory here, where a filter cannot look. One counts on a socket that is not
       connected, with this flag: a listening one that was shut down connects by it. */
    WITHOUT(SCMP_SYS(sendmsg), 2, MSG_FASTOPEN),
    WITH(SCMP_SYS(sendmsg), 2, MSG_FASTOPEN),
    NO_POINTER(SCMP_SYS(prlimit64), 2), /* no new limit: getrlimit(3) */
    NUMBER(SCMP_SYS(fcntl), 1, F_GETFL),
    NUMBER(SCMP_SYS(fcntl), 1, F_SETFL),
    NUMBER(SCMP_SYS(fcntl), 1, F_DUPFD_CLOEXEC),
    NUMBER(SCMP_SYS(setsockopt), 1, IPPROTO_TCP),      /* TCP_NODELAY, TCP_CORK */
    NUMBER(SCMP_SYS(setsockopt), 2, SO_ATTACH_FILTER), /* the listener's end: listener_hush */
    NUMBER(SCMP_SYS(getsockopt), 1, IPPROTO_TCP),      /* TCP_INFO: bytes that came */
    NUMBER(SCMP_SYS(ioctl), 1, TCGETS),                /* isatty(3), of standard output */
    NUMBER(SCMP_SYS(prctl), 0, PR_SET_NAME),
};

static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n) {
  int failed = 0;
  for (size_t i = 0; i < n && !failed; i++)
    failed = seccomp_rule_add(filter, action, calls[i], 0);
  return failed;
}

static int add_rules(scmp_filter_ctx filter) {
  const struct by_argument to_itself = NUMBER(SCMP_SYS(tgkill), 0, getpid()); /* abort(3) */
  int failed = add_calls(filter, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof *allowed);
  if (!failed)
    failed = add_calls(filter, REFUSE, refused, sizeof refused / sizeof *refused);
  if (!failed)
    failed = add_calls(filter, SCMP_ACT_KILL_PROCESS, killed, sizeof killed / sizeof *killed);
  for (size_t i = 0; i <= sizeof by_argument / sizeof *by_argument && !failed; i++) {
    const struct by_argument *row = i ? &by_argument[i - 1] : &to_itself;
    failed = seccomp_rule_add(filter, row->action, row->call, 1,
                              SCMP_CMP64(row->arg, SCMP_CMP_MASKED_EQ, row->mask, row->value));
  }
  return failed;
}

static int set_attributes(scmp_filter_ctx filter) {
  static const struct {
    enum scmp_filter_attr name;
    uint32_t value;
    bool needed;
  } attributes[] = {
      {SCMP_FLTATR_CTL_TSYNC, 1, true}, /* all threads at once */
      {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS,
       true}, /* 32-bit calls from a 64-bit process have other numbers */
      {SCMP_FLTATR_API_SYSRAWRC, 1, false}, /* the kernel's own error, for the log */
      {SCMP_FLTATR_CTL_LOG, 1, false},
      /* Up to Linux 5.15 a filter also turns on the mitigation of speculative store bypass, which
       * slows every load after a store: it is for processes that run others' code. */
      {SCMP_FLTATR_CTL_SSB, 1, false},
  };
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
    int failed = seccomp_attr_set(filter, attributes[i].name, attributes[i].value);
    if (failed && attributes[i].needed)
      return failed;
  }
  return 0;
}

void sandbox_prepare(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

cam_code sandbox_enter(cam_error *error) {
  if (sanitized)
    return cam_fail(
        error, CAM_E_IO,
        "this build has a sanitizer, whose last check traces the process and opens files");
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
  int failed = filter ? set_attributes(filter) : -ENOMEM;
  if (!failed)
    failed = add_rules(filter);
  if (!failed)
    failed = seccomp_load(filter);
  seccomp_release(filter);
  return failed ? cam_fail(error, CAM_E_IO, "system calls cannot be filtered here: %s",
                           strerror(-failed))
                : CAM_OK;
}
