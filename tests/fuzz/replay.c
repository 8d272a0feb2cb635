/* replay.c - runs kept inputs through their fuzz targets: `replay PATH...`, files or folders of
 * them; the name of the folder that a file lies in is its target. Needs no clang: `make test` runs
 * it as gcc builds it, under AddressSanitizer and UBSan. Exit code 0: all ran, and there were some.
 */
#include "fuzz.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define X(name) extern const fuzz_target fuzz_##name;
TARGETS
#undef X

static struct {
  const char *name;
  const fuzz_target *target;
  int ran;
  double longest;
  char slowest[80];
} targets[] = {
#define X(name) {#name, &fuzz_##name, 0, 0, ""},
    TARGETS
#undef X
};
enum { TARGET_COUNT = sizeof targets / sizeof *targets };

static char running[4096]; /* for whom a sanitizer ends the process over it */
static void say_which(void) { dprintf(STDERR_FILENO, "replay: it was %s\n", running); }
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "handle_abort=1"; }

size_t fuzz_mutate_bytes(uint8_t *bytes, size_t n, size_t most) {
  return (void)bytes, (void)most, n;
} /* nothing is mutated here */

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint8_t *read_file(const char *path, size_t n) {
  FILE *file = fopen(path, "rb");
  uint8_t *bytes = malloc(n + !n);
  if (!file || !bytes || fread(bytes, 1, n, file) != n) {
    perror(path);
    exit(EXIT_FAILURE);
  }
  fclose(file);
  return bytes;
}

static int run_file(const char *path, const struct stat *about, int type, struct FTW *at) {
  if (type != FTW_F)
    return 0;
  int folder = at->base - 1, begin = folder;
  while (begin > 0 && path[begin - 1] != '/')
    begin--;
  for (int i = 0; i < TARGET_COUNT && folder > 0; i++) {
    if ((int)strlen(targets[i].name) != folder - begin ||
        strncmp(targets[i].name, path + begin, (size_t)(folder - begin)))
      continue;
    size_t n = (size_t)about->st_size;
    uint8_t *bytes = read_file(path, n);
    snprintf(running, sizeof running, "%s", path);
    double since = seconds();
    targets[i].target->run(bytes, n);
    double took = seconds() - since;
    free(bytes);
    targets[i].ran++;
    if (took < targets[i].longest)
      return 0;
    targets[i].longest = took;
    snprintf(targets[i].slowest, sizeof targets[i].slowest, "%.79s", path + at->base);
    return 0;
  }
  fprintf(stderr, "replay: %s: its folder is named after no target\n", path);
  return 1;
}

int main(int argc, char **argv) {
  if (__sanitizer_set_death_callback)
    __sanitizer_set_death_callback(say_which);
  for (int i = 1; i < argc; i++)
    if (nftw(argv[i], run_file, 16, FTW_PHYS)) {
      fprintf(stderr, "replay: not all of %s was run\n", argv[i]);
      return EXIT_FAILURE;
    }
  int idle = 0;
  for (int i = 0; i < TARGET_COUNT; i++) {
    printf("%s: %d inputs, the slowest %.0f ms: %s\n", targets[i].name, targets[i].ran,
           1e3 * targets[i].longest, targets[i].slowest);
    idle += !targets[i].ran;
  }
  return idle == TARGET_COUNT ? EXIT_FAILURE : EXIT_SUCCESS;
}
