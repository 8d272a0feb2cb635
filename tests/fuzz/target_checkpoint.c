/* target_checkpoint.c - bytes as a checkpoint's file, as parts of one, and as a trainer's state:
 * what is not whole is refused and what is refused changes nothing; what is taken is saved as it
 * was. */
#include "fuzz.h"
#include "train/checkpoint.h"
#include "train/trainer.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char run_name[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* ---- the file ---- */

static void read_file(const uint8_t *bytes, size_t n) {
  char one[24], two[8];
  const checkpoint_part parts[] = {{one, sizeof one}, {two, sizeof two}};
  cam_error error = {0};
  const cam_code code = checkpoint_read(fuzz_file(bytes, n), run_name, parts, 2, &error);
  PROMISE(code == error.code && (!code || code == CAM_E_MODEL));
}

/* Any bytes are written as two parts and read again; with one bit changed they are refused. */
static void write_file(const uint8_t *bytes, size_t n) {
  char path[] = "/tmp/fuzz_checkpoint_XXXXXX";
  const int descriptor = mkstemp(path);
  char *copy = fuzz_text(bytes, n), *again = calloc(1, n + 1);
  const size_t half = n / 2;
  const checkpoint_part out[] = {{copy, half}, {copy + half, n - half}},
                        in[] = {{again, half}, {again + half, n - half}};
  cam_error error = {0};
  PROMISE(descriptor >= 0 && !close(descriptor));
  PROMISE(again && !checkpoint_write(path, run_name, out, 2, &error));
  PROMISE(!checkpoint_read(path, run_name, in, 2, &error) && !memcmp(copy, again, n));
  FILE *file = fopen(path, "r+b");
  PROMISE(file && !fseek(file, 0, SEEK_END));
  const long at = n ? bytes[0] * ftell(file) / 256 : 0;
  fseek(file, at, SEEK_SET);
  const int byte = getc(file);
  fseek(file, at, SEEK_SET);
  PROMISE(putc(byte ^ 1, file) != EOF && !fclose(file));
  PROMISE(checkpoint_read(path, run_name, in, 2, &error) == CAM_E_MODEL);
  remove(path);
  free(copy);
  free(again);
}

/* ---- the trainer ---- */

static cam_graph *graph;
static trainer *small;

static void make_trainer(void) {
  static const char document[] =
      "{\"version\":2,\"name\":\"small\",\"input\":{\"height\":4,\"width\":4,\"channels\":\"RGB\","
      "\"mean\":[0,0,0],\"scale\":[1,1,1],\"resize\":\"stretch\"},\"map\":{\"resize\":\"tf1\"},"
      "\"classes\":[[\"\",\"a\"],[\"\",\"b\"]],\"nodes\":[{\"name\":\"c\",\"op\":\"conv\","
      "\"inputs\":[\"input\"],\"padding\":\"same\",\"weight\":\"w\",\"bias\":\"b\"},{\"name\":"
      "\"p\","
      "\"op\":\"gap\",\"inputs\":[\"c\"]},{\"name\":\"f\",\"op\":\"fc\",\"inputs\":[\"p\"],"
      "\"weight\":\"v\"}]}";
  const train_options options = {.momentum = 0.9, .weight_decay = 0.01, .keep_prob = 1};
  static cam_team *team;
  cam_error error = {0};
  if (small)
    return;
  PROMISE(!graph_load(fuzz_model_file("w:3x3x3x2 b:2 v:2x2", document, false), &graph, &error));
  PROMISE(!team_create(1, &team, &error));
  PROMISE(!trainer_create(graph, GRAPH_INPUT, &options, team, &small, &error));
}

static void load_state(const uint8_t *bytes, size_t n) {
  make_trainer();
  const size_t size = trainer_state_bytes(small);
  char *before = malloc(size), *after = malloc(size);
  cam_error error = {0};
  PROMISE(before && after);
  trainer_save(small, before);
  const cam_code code = trainer_load(small, bytes, n, &error);
  PROMISE(code == error.code && (!code || code == CAM_E_MODEL));
  trainer_save(small, after);
  PROMISE(!memcmp(after, code ? before : (const char *)bytes, size));
  free(before);
  free(after);
}

static void run(const uint8_t *bytes, size_t n) {
  read_file(bytes, n);
  write_file(bytes, n);
  load_state(bytes, n);
}

/* A state that is right but for a byte or two. */
static size_t mutate(uint8_t *bytes, size_t n, size_t most, uint64_t random) {
  make_trainer();
  const size_t size = trainer_state_bytes(small);
  if (size > most || n == size)
    return fuzz_mutate_bytes(bytes, n, most);
  trainer_save(small, bytes);
  bytes[fuzz_random(&random) % size] = (uint8_t)fuzz_random(&random);
  return size;
}

const fuzz_target fuzz_checkpoint = {run, mutate};
