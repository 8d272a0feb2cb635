/* fuzz.h - what fuzz targets are and what they share. A target is one file, target_NAME.c, that the
 * Makefile finds by itself; libfuzzer.c drives it under clang's libFuzzer
 * (https://llvm.org/docs/LibFuzzer.html), replay.c runs kept inputs without clang. */
#ifndef FUZZ_H
#define FUZZ_H
#include "cam_engine.h"

typedef struct fuzz_target {
  void (*run)(
      const uint8_t *bytes,
      size_t n); /* one input, in an allocation of its own length; returns, or ends the process */
  /* Changes an input of n bytes in place, at most `most` bytes long after it; its new length, or 0:
   * it could not. NULL: there is none. */
  size_t (*mutate)(uint8_t *bytes, size_t n, size_t most, uint64_t random);
} fuzz_target;

/* What must hold whatever the input is. */
#define PROMISE(condition) ((condition) ? (void)0 : fuzz_broken(#condition, __FILE__, __LINE__))
__attribute__((noreturn)) void fuzz_broken(const char *promise, const char *file, int line);

/* A path to a file of those bytes: memory, one at a time. */
const char *fuzz_file(const uint8_t *bytes, size_t n);
/* A model file with the network `document` and made tensors "name:AxBxC name:D ...", of which the
 * magnitudes alone are written if so wanted. NULL: the tensors are not described so, or too large.
 */
const char *fuzz_model_file(const char *tensors, const char *document, bool magnitudes);
/* A small model with 12 classes; lives as long as the process. */
const cam_model *fuzz_model(void);
/* bytes[0..n) and a NUL, for free(). */
char *fuzz_text(const uint8_t *bytes, size_t n);

/* ---- for mutators ---- */
uint64_t fuzz_random(uint64_t *state); /* splitmix64 */
/* libFuzzer's own mutations, dictionary included. */
size_t fuzz_mutate_bytes(uint8_t *bytes, size_t n, size_t most);
uint32_t fuzz_crc32(const uint8_t *bytes, size_t n); /* of zip and PNG */
/* Puts text in the place of bytes[at..at+removed); the new length, or n if there is no room. text
 * may lie in bytes. */
size_t fuzz_splice(uint8_t *bytes, size_t n, size_t most, size_t at, size_t removed,
                   const uint8_t *text, size_t n_text);
/* Changes a JSON text by its values, so that most of what comes out is JSON again. */
size_t fuzz_mutate_json(uint8_t *bytes, size_t n, size_t most, uint64_t random);
/* Changes one stored entry of a zip archive by `mutate` and writes all lengths, offsets and
 * checksums anew. 0 if it is none. */
size_t fuzz_mutate_zip(uint8_t *bytes, size_t n, size_t most, uint64_t random,
                       size_t (*mutate)(uint8_t *, size_t, size_t, uint64_t));

#endif
