/* target_ranges.c - a file of ranges, for a small network that has the operators which ranges are
 * read differently for: "@" in it stands for the identity of that network's layers. What is taken
 * is within its bounds, is written and read as the same bits, and makes a network in 8 bits that is
 * loaded, or refused by name. */
#include "convert/identity.h"
#include "convert/output.h"
#include "convert/quantize.h"
#include "convert/ranges.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define NODE(name, op, inputs, more) \
  "{\"name\":\"" name "\",\"op\":\"" op "\",\"inputs\":[" inputs "]" more "},"
static const char document[] =
    "{\"version\":2,\"name\":\"small\",\"input\":{\"height\":4,\"width\":4,\"channels\":\"RGB\","
    "\"mean\":[127,127,127],\"scale\":[0.01,0.01,0.01],\"resize\":\"stretch\"},"
    "\"map\":{\"resize\":\"half_pixel\"},\"classes\":[[\"\",\"a\"],[\"\",\"b\"]],\"nodes\":["
    NODE("c", "conv", "\"input\"", ",\"weight\":\"w\",\"bias\":\"b\"")
    NODE("r", "relu6", "\"c\"", "")
    NODE("d", "conv", "\"r\"", ",\"weight\":\"v\",\"groups\":4,\"padding\":\"same\"")
    NODE("s", "silu", "\"d\"", "")
    NODE("p", "conv", "\"s\"", ",\"weight\":\"u\"")
    NODE("a", "add", "\"p\",\"r\"", "")
    NODE("i", "sigmoid", "\"a\"", "")
    NODE("m", "mul", "\"a\",\"i\"", "")
    NODE("g", "gap", "\"m\"", "")
    "{\"name\":\"f\",\"op\":\"fc\",\"inputs\":[\"g\"],\"weight\":\"fc\"}]}";
/* clang-format on */

static const cam_graph *small_graph(void) {
  static cam_graph *graph;
  cam_error error = {0};
  if (!graph)
    PROMISE(
        !graph_load(fuzz_model_file("w:1x1x3x4 b:4 v:3x3x1x4 u:1x1x4x4 fc:2x4", document, false),
                    &graph, &error));
  return graph;
}

/* The input with the identity in its place; for free(). */
static uint8_t *with_identity(const cam_graph *graph, const uint8_t *bytes, size_t n, size_t *out) {
  enum { ROOM = 64 };
  char identity[65];
  uint8_t *text = malloc(n + ROOM);
  PROMISE(text && !identity_of_layers(graph, identity, NULL));
  if (n)
    memcpy(text, bytes, n);
  *out = n;
  const uint8_t *sign = memmem(text, n, "\"@\"", 3);
  if (sign)
    *out = fuzz_splice(text, n, n + ROOM, (size_t)(sign - text) + 1, 1, (const uint8_t *)identity,
                       ROOM);
  return text;
}

static void check_bounds(const ranges *seen) {
  for (int i = 0; i < seen->n; i++)
    PROMISE(seen->ends[i][0] <= seen->ends[i][1] && seen->ends[i][0] >= -1e15f &&
            seen->ends[i][1] <= 1e15f);
}

static void write_again(const cam_graph *graph, const ranges *seen) {
  ranges again;
  cam_error error = {0};
  const char *path = fuzz_file(NULL, 0);
  PROMISE(!ranges_write(path, graph, seen, &error) && !ranges_create(graph, &again, &error));
  PROMISE(!ranges_read(path, graph, &again, &error));
  PROMISE(!memcmp(again.ends, seen->ends, (size_t)seen->n * sizeof *seen->ends));
  ranges_free(&again);
}

static void quantise(const cam_graph *graph, const ranges *seen) {
  joined made;
  cam_graph *loaded = NULL;
  cam_error error = {0};
  const char *path = fuzz_file(NULL, 0);
  PROMISE(!quantize_graph(graph, seen, "small-int8", &made, &error));
  PROMISE(!output_write(path, &made, false, &error));
  const cam_code code = graph_load(path, &loaded, &error);
  PROMISE(code == error.code && (!code || code == CAM_E_MODEL));
  PROMISE(code || (loaded->is_int8 && loaded->bit_exact));
  graph_free(loaded);
  joined_free(&made);
}

static void run(const uint8_t *bytes, size_t n) {
  const cam_graph *graph = small_graph();
  ranges seen;
  cam_error error = {0};
  size_t length;
  uint8_t *text = with_identity(graph, bytes, n, &length);
  const char *path = fuzz_file(text, length);
  PROMISE(!ranges_create(graph, &seen, &error));
  const cam_code code = ranges_read(path, graph, &seen, &error);
  PROMISE(code == error.code && (!code || code == CAM_E_MODEL));
  if (!code) {
    check_bounds(&seen);
    write_again(graph, &seen);
    quantise(graph, &seen);
  }
  ranges_free(&seen);
  free(text);
}

const fuzz_target fuzz_ranges = {run, fuzz_mutate_json};
