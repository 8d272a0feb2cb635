/* libfuzzer.c - libFuzzer's entry points over the table of targets. `fuzz --target=NAME` chooses;
 * libFuzzer itself ignores what begins with --. */
#include "fuzz.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X(name) extern const fuzz_target fuzz_##name;
TARGETS
#undef X

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t most, unsigned seed);

static const fuzz_target *target;

/* On one processor: loading a model then starts no threads, and what an input covers is always the
 * same. */
static void stay_on_one_processor(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  for (int i = 1; i < *argc; i++) {
#define X(name) \
  if (!strcmp((*argv)[i], "--target=" #name)) \
    target = &fuzz_##name;
    TARGETS
#undef X
  }
  if (!target) {
    fputs("--target=NAME is missing, or there is no such target\n", stderr);
    exit(EXIT_FAILURE);
  }
  stay_on_one_processor();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  target->run(bytes, n);
  return 0;
}

size_t fuzz_mutate_bytes(uint8_t *bytes, size_t n, size_t most) {
  return LLVMFuzzerMutate(bytes, n, most);
}

/* Half of the time by structure, where the target knows one. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t most, unsigned seed) {
  uint64_t random = seed;
  size_t changed = target->mutate && fuzz_random(&random) % 2
                       ? target->mutate(bytes, n, most, random)
                       : 0;
  return changed ? changed : fuzz_mutate_bytes(bytes, n, most);
}
