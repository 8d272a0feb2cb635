/* faults.c - what a machine at its limits does to a process: loaded before the C library
 * (LD_PRELOAD), it lets allocations, threads, accept(2) and reads fail or wait, on demand of a test
 * (tests/http/faults.py) that shares the counters below through the file named by FAULTS.
 *
 * malloc and its kin may be replaced as a whole (glibc manual, "Replacing malloc"), so that those
 * of the libraries and of the C library itself are counted, too. Counting begins when this file is
 * initialised: after the libraries that camserve names, before its main(). */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* In the order of tests/http/faults.py. */
enum {
  ALLOCATIONS, /* so far; the test sets it to 0 */
  FIRST,
  LAST, /* those of them that fail, from 1; FIRST 0: none */
  LIVE, /* allocated and not freed */
  THREADS,
  THREAD_FIRST,
  THREAD_LAST,
  ACCEPT_ERRNO,
  ACCEPT_TIMES,
  CLOCKS,
  CLOCK_AT,
  CLOCK_JUMP_S,  /* call CLOCK_AT of clock_gettime(CLOCK_MONOTONIC) lies that many seconds in the
                    future */
  READ_DELAY_MS, /* before each read(2) of more than 64 KiB: a model file on a slow disk */
  FIELDS
};
static _Atomic(_Atomic int64_t *) shared;

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);
extern void __libc_free(void *memory);

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("FAULTS");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  void *memory = fd < 0 ? MAP_FAILED
                        : (void *)syscall(SYS_mmap, NULL, FIELDS * sizeof(int64_t),
                                          PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd >= 0)
    close(fd);
  if (memory != MAP_FAILED)
    atomic_store(&shared, memory);
}

/* Is this one of those that fail? */
static int fails(int count, int first, int last) {
  _Atomic int64_t *s = atomic_load(&shared);
  if (!s)
    return 0;
  const int64_t number = atomic_fetch_add(&s[count], 1) + 1, from = atomic_load(&s[first]);
  return from && number >= from && number <= atomic_load(&s[last]);
}
static void count_live(int64_t change) {
  _Atomic int64_t *s = atomic_load(&shared);
  if (s)
    atomic_fetch_add(&s[LIVE], change);
}
static void *allocated(void *memory) {
  if (memory)
    count_live(1);
  return memory;
}
static void *refuse(void) {
  errno = ENOMEM;
  return NULL;
}

void *malloc(size_t n) {
  return fails(ALLOCATIONS, FIRST, LAST) ? refuse() : allocated(__libc_malloc(n));
}
void *calloc(size_t n, size_t size) {
  return fails(ALLOCATIONS, FIRST, LAST) ? refuse() : allocated(__libc_calloc(n, size));
}
void *memalign(size_t alignment, size_t n) {
  return fails(ALLOCATIONS, FIRST, LAST) ? refuse() : allocated(__libc_memalign(alignment, n));
}
void *aligned_alloc(size_t alignment, size_t n) { return memalign(alignment, n); }
int posix_memalign(void **out, size_t alignment, size_t n) {
  void *memory = memalign(alignment, n);
  if (!memory)
    return ENOMEM;
  *out = memory;
  return 0;
}
void *realloc(void *old, size_t n) {
  if (fails(ALLOCATIONS, FIRST, LAST))
    return refuse();
  void *memory = __libc_realloc(old, n);
  if (!old && memory)
    count_live(1);
  if (old && !n)
    count_live(-1);
  return memory;
}
void free(void *memory) {
  if (memory)
    count_live(-1);
  __libc_free(memory);
}
/* OpenBLAS 0.3.21 asks for its buffers until it gets them (blas_memory_alloc): it waits, and ends
 * when memory is back. Not for a test to wait for. */
static int is_openblas(const void *caller) {
  Dl_info info;
  return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "openblas");
}
void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
  if (flags & MAP_ANONYMOUS && !is_openblas(__builtin_return_address(0)) &&
      fails(ALLOCATIONS, FIRST, LAST))
    return refuse(), MAP_FAILED;
  return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}

/* A function that this one replaces. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument) {
  return fails(THREADS, THREAD_FIRST, THREAD_LAST)
             ? EAGAIN
             : NEXT(pthread_create)(thread, attributes, run, argument);
}

int accept4(int fd, struct sockaddr *address, socklen_t *n, int flags) {
  _Atomic int64_t *s = atomic_load(&shared);
  if (s && atomic_load(&s[ACCEPT_TIMES]) > 0 && atomic_fetch_sub(&s[ACCEPT_TIMES], 1) > 0) {
    errno = (int)atomic_load(&s[ACCEPT_ERRNO]);
    return -1;
  }
  return (int)syscall(SYS_accept4, fd, address, n, flags);
}

int clock_gettime(clockid_t clock, struct timespec *out) {
  static __typeof__(&clock_gettime) next;
  if (!next)
    next = NEXT(clock_gettime);
  const int failed = next(clock, out);
  if (!failed && clock == CLOCK_MONOTONIC && fails(CLOCKS, CLOCK_AT, CLOCK_AT))
    out->tv_sec += (time_t)atomic_load(&atomic_load(&shared)[CLOCK_JUMP_S]);
  return failed;
}

ssize_t read(int fd, void *to, size_t n) {
  _Atomic int64_t *s = atomic_load(&shared);
  if (s && n > 65536 && atomic_load(&s[READ_DELAY_MS])) {
    const int64_t ms = atomic_load(&s[READ_DELAY_MS]);
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
  }
  return syscall(SYS_read, fd, to, n);
}
