/* test_int8.c - the networks of network_cases.h in 8 bits: layers in integers against the integer
 * twin, to the bit, with each table of kernels that this CPU has, on one, two and three threads;
 * maps that add up; and how far 8 bits are from float32. */
#include "convert/dequantize.h"
#include "convert/output.h"
#include "convert/quantize.h"
#include "network/forward.h"
#include "network/reference.h"
#include "network_cases.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CLASSES = 64, MOST_CELLS = 8192 };

/* ---- a case in 8 bits ---- */

static void fill_picture(const cam_graph *graph, int height, int width, void *out) {
  uint32_t noise = 11;
  for (int i = 0; i < height * width * 3; i++) {
    noise = noise * 1664525 + 1013904223;
    const int level = (i / 7 * 5 + (int)(noise >> 26)) % 256;
    if (graph->sees_bytes)
      ((uint8_t *)out)[i] = (uint8_t)level;
    else
      ((float *)out)[i] = ((float)level - graph->mean[i % 3]) * graph->scale[i % 3];
  }
}

typedef struct watched {
  const cam_graph *graph;
  ranges seen;
} watched;

static void widen(void *closure, const cam_node *node, const float *plane, int cells, int channels,
                  int stride) {
  watched *w = closure;
  ranges_widen(&w->seen, (int)(node - w->graph->nodes), plane, cells, channels, stride);
}

/* What the nodes give for the picture. */
static void watch(const cam_graph *graph, ranges *out) {
  const kernels *k;
  network *net;
  forward *f;
  cam_team *team;
  void *input;
  float logits[MOST_CLASSES];
  watched w = {.graph = graph};
  ck_assert(!ranges_create(graph, &w.seen, NULL) && !kernels_select(NULL, &k, NULL));
  ck_assert(!network_create_as(graph, &(network_making){.k = k, .apart = true}, &net, NULL));
  ck_assert(!team_create(2, &team, NULL) && !forward_create(net, team, &f, NULL));
  ck_assert(!forward_plan(f, graph->height, graph->width, &input, NULL));
  fill_picture(graph, graph->height, graph->width, input);
  forward_watch(f, logits, widen, &w);
  ranges_end_photo(&w.seen);
  forward_free(f);
  team_free(team);
  network_free(net);
  *out = w.seen;
}

/* Ranges that no float has been rounded for. */
static void guess(const cam_graph *graph, ranges *out) {
  ck_assert(!ranges_create(graph, out, NULL));
  for (int i = 0; i < out->n; i++) {
    out->ends[i][0] = -2.f - (float)(i % 3);
    out->ends[i][1] = 3.f;
    if (graph->nodes[i].op == OP_RELU6)
      out->ends[i][0] = 0;
  }
}

/* The model's file in float32 becomes one in 8 bits, and is read. */
static cam_graph *load_int8(const made_model *model, const char *what,
                            void (*get_ranges)(const cam_graph *, ranges *)) {
  cam_graph *graph;
  cam_error error = {0};
  ranges seen;
  joined made;
  const char *path = made_model_write(model);
  ck_assert_msg(!graph_load(path, &graph, &error), "%s: %s", what, error.detail);
  get_ranges(graph, &seen);
  ck_assert_msg(!quantize_graph(graph, &seen, "small-int8", &made, &error), "%s: %s", what,
                error.detail);
  ranges_free(&seen);
  graph_free(graph);
  ck_assert_msg(!output_write(path, &made, false, &error), "%s: %s", what, error.detail);
  joined_free(&made);
  ck_assert_msg(!graph_load(path, &graph, &error), "%s: %s", what, error.detail);
  unlink(path);
  return graph;
}

static void twin(const cam_graph *graph, int height, int width, double *logits) {
  cam_team *team;
  void *picture = malloc((size_t)(height * width * 3) * sizeof(float));
  fill_picture(graph, height, width, picture);
  ck_assert(!team_create(2, &team, NULL));
  ck_assert(!reference_forward(graph, team, picture, height, width, logits, NULL, NULL));
  team_free(team);
  free(picture);
}

/* ---- layers against the twin ---- */

static void check_maps(const network *net, forward *f, const float *logits, const char *what) {
  static float map[MOST_CELLS];
  int height, width;
  forward_map_size(f, &height, &width);
  ck_assert_int_le(height * width, MOST_CELLS);
  for (int c = 0; c < net->graph->n_classes; c++) {
    double sum = 0;
    float *maps[] = {map};
    forward_class_maps(f, 1, &c, maps);
    for (int i = 0; i < height * width; i++)
      sum += (double)map[i];
    const double off = fabs(sum / (height * width) + (double)network_bias(net, c) -
                            (double)logits[c]);
    ck_assert_msg(off <= 1e-4 * fmax(1, fabs((double)logits[c])), "%s: class %d: map off by %g",
                  what, c, off);
  }
}

static void check_logits(const cam_graph *graph, const float *logits, const double *wanted,
                         const char *what, const char *isa, int threads) {
  double most = 0;
  for (int c = 0; c < graph->n_classes; c++)
    most = fmax(most, fabs(wanted[c]));
  for (int c = 0; c < graph->n_classes; c++) {
    const double off = fabs((double)logits[c] - wanted[c]);
    ck_assert_msg(graph->bit_exact ? off == 0 : off <= 0.02 * most,
                  "%s on %s, %d threads: logit %d is %.9g, the twin's %.9g", what, isa, threads, c,
                  (double)logits[c], wanted[c]);
  }
}

static void check_at(const cam_graph *graph, network_making how, int height, int width,
                     const double *wanted, const char *what) {
  network *net;
  cam_error error = {0};
  ck_assert(!kernels_select(NULL, &how.k, NULL));
  ck_assert_msg(!network_create_as(graph, &how, &net, &error), "%s: %s", what, error.detail);
  for (int threads = 1; threads <= 3; threads++) {
    cam_team *team;
    forward *f;
    void *input;
    float logits[MOST_CLASSES];
    ck_assert(!team_create(threads, &team, NULL) && !forward_create(net, team, &f, &error));
    for (int again = 0; again < 2; again++) {
      ck_assert_msg(!forward_plan(f, height, width, &input, &error), "%s", error.detail);
      fill_picture(graph, height, width, input);
      forward_run(f, logits, NULL);
      check_logits(graph, logits, wanted, what, how.k8->isa, threads);
    }
    check_maps(net, f, logits, what);
    forward_free(f);
    team_free(team);
  }
  network_free(net);
}

START_TEST(layers_are_the_twin_to_the_bit) {
  const made_model *model = &cases[_i].model;
  const char *what = cases[_i].what;
  cam_graph *graph = load_int8(model, what, watch);
  const int side = model->height < model->width ? model->height : model->width;
  const int sizes[3][2] = {
      {model->height, model->width}, {model->max_side, side}, {side, model->max_side}};
  for (int s = 0; s < 3; s++) {
    double wanted[MOST_CLASSES];
    twin(graph, sizes[s][0], sizes[s][1], wanted);
    for (int i = 0; kernels_int8_had(i); i++)
      for (int blocks = 0; blocks < 2; blocks++)
        check_at(graph, (network_making){.k8 = kernels_int8_had(i), .blocks = blocks}, sizes[s][0],
                 sizes[s][1], wanted, what);
  }
  graph_free(graph);
}
END_TEST

/* ---- weights there and back ---- */

/* clang-format off */
/* Convolutions that read the picture: in a group, in three, and in three of two filters each. */
static const made_model stems[] = {
    {CONV("x", "input", SAME W("v") B("b")) TAIL,
     "v:3x3x3x6 b:6 fc:4x6 fcb:4", 4, 8, 9, 12, NULL},
    {CONV("x", "input", SAME GROUPS(3) W("v") B("b")) TAIL,
     "v:3x3x1x3 b:3 fc:4x3 fcb:4", 4, 8, 9, 12, NULL},
    {CONV("x", "input", SAME GROUPS(3) W("v") B("b")) TAIL,
     "v:3x3x1x6 b:6 fc:4x6 fcb:4", 4, 8, 9, 12, NULL},
};
/* clang-format on */

/* What made_model cannot say: a mean and a scale a channel. */
static void tell_channels_apart(cam_graph *graph) {
  static const float means[] = {90, 127, 160}, scales[] = {0.01f, -0.004f, 0.03f};
  memcpy(graph->mean, means, sizeof means);
  memcpy(graph->scale, scales, sizeof scales);
}

static cam_graph *load_apart(const char *path) {
  cam_graph *graph;
  ck_assert(!graph_load(path, &graph, NULL));
  tell_channels_apart(graph);
  return graph;
}

/* Within a level of each weight, half a level of a filter's together, and of a bias. */
static void check_stem(const cam_node *own, const cam_node *back, const cam_node *int8,
                       const float *scale) {
  const size_t channels = (size_t)own->channels, inputs = (size_t)own->weight->shape[2];
  double together[6] = {0};
  for (size_t i = 0; i < own->weight->count; i++) {
    const size_t out = i % channels;
    const size_t in = out / (channels / (size_t)own->groups) * inputs + i / channels % inputs;
    const double level = (double)int8->weight_scale->data[out] / fabs((double)scale[in]);
    const double off = (double)back->weight->data[i] - (double)own->weight->data[i];
    ck_assert_msg(fabs(off) <= 1.001 * level, "weight %zu is %g off; a level is %g", i, off, level);
    together[out] += off * (double)scale[in] / (double)int8->weight_scale->data[out];
  }
  for (size_t c = 0; c < channels; c++) {
    ck_assert_msg(fabs(together[c]) <= 0.501, "filter %zu is %g levels off", c, together[c]);
    const double off = (double)back->bias->data[c] - (double)own->bias->data[c];
    ck_assert_msg(fabs(off) <= 0.501 * (double)int8->weight_scale->data[c], "bias %zu: %g off", c,
                  off);
  }
}

/* The mean and the scale are those of the channel that a weight is for. */
START_TEST(stems_come_back) {
  joined made;
  ranges seen;
  double wanted[MOST_CLASSES], got[MOST_CLASSES];
  const char *path = made_model_write(&stems[_i]);
  cam_graph *own = load_apart(path), *back;
  watch(own, &seen);
  twin(own, 8, 9, wanted);
  ck_assert(!quantize_graph(own, &seen, "small-int8", &made, NULL));
  ranges_free(&seen);
  ck_assert(!output_write(path, &made, false, NULL));
  joined_free(&made);
  cam_graph *int8 = load_apart(path);
  unlink(path);
  ck_assert(int8->sees_bytes);
  twin(int8, 8, 9, got);
  for (int c = 0; c < own->n_classes; c++)
    ck_assert_double_eq_tol(got[c], wanted[c], 0.05);
  ck_assert(!dequantize(int8, &back, NULL));
  check_stem(own->nodes, back->nodes, int8->nodes, int8->scale);
  graph_free(back);
  graph_free(int8);
  graph_free(own);
}
END_TEST

/* A stem in 8 bits whose picture has no second channel: of weights of 0 the same comes back, of
 * others nothing can. */
START_TEST(a_scale_of_0) {
  static const float none[] = {0.01f, 0, 0.01f};
  joined made;
  ranges seen;
  cam_error error = {0};
  const char *path = made_model_write(&stems[0]);
  cam_graph *own = load_apart(path), *back;
  guess(own, &seen);
  for (int blind = 0; blind < 2; blind++) {
    if (blind)
      memcpy(own->scale, none, sizeof none);
    ck_assert(!quantize_graph(own, &seen, "small-int8", &made, NULL));
    ck_assert(!output_write(path, &made, false, NULL));
    joined_free(&made);
    cam_graph *int8 = load_apart(path);
    memcpy(int8->scale, none, sizeof none);
    const cam_code code = dequantize(int8, &back, &error);
    if (blind)
      ck_assert_msg(!code && back->nodes->weight->data[6] == 0, "%s", error.detail);
    else
      ck_assert_msg(code == CAM_E_MODEL && strstr(error.detail, "node \"x\": its weight 6"), "%s",
                    error.detail);
    graph_free(back);
    graph_free(int8);
  }
  unlink(path);
  ranges_free(&seen);
  graph_free(own);
}
END_TEST

/* ---- what rounding takes on average ---- */

/* clang-format off */
static const made_model averaged = {
    CONV("a", "input", SAME W("a") B("b")) ","
    OP1("r", "relu6", "a") ","
    CONV("d", "r", SAME GROUPS(4) W("d")) ","
    OP1("t", "silu", "d") ","
    CONV("x", "t", W("c") B("b")) TAIL,
    "a:3x3x3x8 b:8 d:3x3x2x8 c:1x1x8x8 fc:4x8 fcb:4", 4, 8, 9, 12, NULL};
/* clang-format on */

static double weight_of(const cam_node *node, size_t i, int channel) {
  if (node->weight_scale)
    return node->weight->bytes[i] * (double)node->weight_scale->data[channel];
  return (double)node->weight->data[i];
}

/* What a channel gives on average of a plane whose channels are as `seen` says, without bias. */
static double on_average(const cam_node *node, const ranges *seen, int from, int channel) {
  const size_t channels = (size_t)node->channels, depth = node->weight->count / channels;
  size_t inputs = depth, first = 0;
  if (node->op == OP_CONV) {
    inputs = (size_t)node->weight->shape[2];
    first = (size_t)channel / (channels / (size_t)node->groups) * inputs;
  }
  double sum = 0;
  for (size_t k = 0; k < depth; k++) {
    size_t i = k * channels + (size_t)channel;
    if (node->op == OP_FC)
      i = (size_t)channel * depth + k;
    sum += weight_of(node, i, channel) *
           averages_of(&seen->means[from], seen->ends[from], (int)(first + k % inputs));
  }
  return sum;
}

static void check_average(const cam_node *own, const cam_node *int8, const ranges *seen, int from,
                          double in) {
  for (int c = 0; c < own->channels; c++) {
    double wanted = on_average(own, seen, from, c), got = on_average(int8, seen, from, c);
    double unit = in * (double)int8->weight_scale->data[c];
    if (own->bias)
      wanted += (double)own->bias->data[c];
    if (own->op == OP_CONV)
      got += int8->bias->wholes[c] * unit;
    else
      got += (double)int8->bias->data[c];
    if (own->op == OP_FC)
      unit = 1e-5;
    ck_assert_msg(fabs(got - wanted) <= 0.501 * unit, "%s: channel %d: %g, not %g", own->name, c,
                  got, wanted);
  }
}

START_TEST(averages_stay) {
  ranges seen;
  joined made;
  const char *path = made_model_write(&averaged);
  cam_graph *own = load_apart(path);
  guess(own, &seen);
  for (int i = 0; i < seen.n; i++)
    for (int c = 0; c < seen.means[i].channels; c++) {
      seen.means[i].levels[c] = (uint8_t)(200 + 7 * c);
      seen.means[i].known = true;
    }
  ck_assert(!quantize_graph(own, &seen, "small-int8", &made, NULL));
  ck_assert(!output_write(path, &made, false, NULL));
  joined_free(&made);
  cam_graph *int8 = load_apart(path);
  unlink(path);
  int read = 0;
  for (int i = 1; i < own->n_nodes; i++) {
    int from = own->nodes[i].inputs[0];
    if (!own->nodes[i].weight)
      continue;
    if (i > own->head)
      from = own->nodes[own->head].inputs[0];
    check_average(&own->nodes[i], &int8->nodes[i], &seen, from,
                  (double)int8->nodes[from].quantum.scale);
    read++;
  }
  ck_assert_int_eq(read, 3);
  ranges_free(&seen);
  graph_free(int8);
  graph_free(own);
}
END_TEST

/* Of two photos, between the node's ends; what lies outside of them is the end. */
START_TEST(averages_of_photos) {
  static const float photos[2][6] = {{0, 8, 1, 2, 8, 1}, {1, 8, -6, 1, 8, -6}};
  static const float ends[2] = {0, 5};
  averages a = {
      .channels = 3, .sums = calloc(3, sizeof *a.sums), .levels = calloc(3, sizeof *a.levels)};
  averages_settle(&a, ends);
  ck_assert(!a.known);
  averages_add(&a, photos[0], 2, 3, 3);
  averages_add(&a, photos[1], 2, 3, 3);
  averages_settle(&a, ends);
  ck_assert(a.known && a.levels[0] == 51 && a.levels[1] == 255 && a.levels[2] == 0);
  ck_assert_double_eq_tol(averages_of(&a, ends, 0), 1, 1e-12);
  free(a.sums);
  free(a.levels);
}
END_TEST

/* ---- the same bits everywhere ---- */

/* clang-format off */
#define BODY \
  CONV("a", "input", STRIDE(2, 2) SAME W("w") B("b")) "," \
  OP1("r", "relu6", "a") "," \
  CONV("d", "r", SAME GROUPS(24) W("v") B("b")) "," \
  OP1("t", "silu", "d") "," \
  OP1("g", "gap", "t") "," \
  CONV("h", "g", W("u")) "," \
  OP1("i", "sigmoid", "h") "," \
  OP2("m", "mul", "t", "i") "," \
  CONV("p", "m", W("u") B("b")) "," \
  OP2("s", "add", "p", "r") "," \
  POOL("q", "avg_pool", "s", KERNEL(3, 3) SAME) "," \
  POOL("n", "max_pool", "s", KERNEL(2, 3) SAME) "," \
  NODE("k", "concat", "\"q\",\"n\"", "") "," \
  CONV("x", "k", PADS(1, 0, 0, 2) GROUPS(3) W("z")) "," \
  OP1("y", "hard_swish", "x")
#define BODY_TENSORS "w:3x3x3x24 b:24 v:5x5x1x24 u:1x1x24x24 z:2x3x16x33"
static const struct {
  made_model model;
  uint64_t hash;
} fixed[] = {
    {{BODY "," OP1("e", "gap", "y"), BODY_TENSORS, 33, 19, 23, 32, NULL},
     UINT64_C(0xab8798f1b08f5eaa)},
    {{BODY "," OP1("gap", "gap", "y") "," FC, BODY_TENSORS " fc:50x33 fcb:50", 50, 19, 23, 32,
      NULL},
     UINT64_C(0x4d9402874bcbbd68)},
};
/* clang-format on */

/* FNV-1a. */
static uint64_t hash_floats(uint64_t hash, const float *values, int n) {
  const uint8_t *bytes = (const void *)values;
  for (size_t i = 0; i < (size_t)n * sizeof *values; i++)
    hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  return hash;
}

/* Of logits and all maps; where the head is a gap alone, the maps are the last plane. */
static uint64_t hash_answers(const cam_graph *graph, const kernels_int8 *k8, int threads) {
  static float maps[MOST_CLASSES][MOST_CELLS];
  const kernels *k;
  network *net;
  forward *f;
  cam_team *team;
  void *input;
  float logits[MOST_CLASSES], *each[MOST_CLASSES];
  int ids[MOST_CLASSES], height, width;
  ck_assert(!kernels_select(NULL, &k, NULL) && !team_create(threads, &team, NULL));
  ck_assert(!network_create_as(graph, &(network_making){.k = k, .k8 = k8}, &net, NULL));
  ck_assert(!forward_create(net, team, &f, NULL));
  ck_assert(!forward_plan(f, graph->height, graph->width, &input, NULL));
  cam_made_input(graph, input);
  forward_run(f, logits, NULL);
  forward_map_size(f, &height, &width);
  for (int c = 0; c < graph->n_classes; c++) {
    ids[c] = c;
    each[c] = maps[c];
  }
  forward_class_maps(f, graph->n_classes, ids, each);
  uint64_t hash = hash_floats(UINT64_C(0xcbf29ce484222325), logits, graph->n_classes);
  for (int c = 0; c < graph->n_classes; c++)
    hash = hash_floats(hash, maps[c], height * width);
  forward_free(f);
  network_free(net);
  team_free(team);
  return hash;
}

START_TEST(answers_are_these_bits) {
  cam_graph *graph = load_int8(&fixed[_i].model, "fixed", guess);
  ck_assert(graph->bit_exact);
  for (int i = 0; kernels_int8_had(i); i++)
    for (int threads = 1; threads <= 3; threads++) {
      const uint64_t hash = hash_answers(graph, kernels_int8_had(i), threads);
      ck_assert_msg(hash == fixed[_i].hash, "%s, %d threads: 0x%016llx", kernels_int8_had(i)->isa,
                    threads, (unsigned long long)hash);
    }
  graph_free(graph);
}
END_TEST

/* ---- files that are refused ---- */

/* clang-format off */
#define FC_OF(gap) NODE("fc", "fc", "\"" gap "\"", W("fc") B("fcb"))
/* A stem, a filter a channel, a projection that a plane is added to. */
static const made_model victim = {
    CONV("a", "input", SAME W("a") B("ab")) ","
    OP1("r", "relu6", "a") ","
    CONV("d", "r", SAME GROUPS(8) W("d")) ","
    OP1("t", "silu", "d") ","
    CONV("c", "t", W("c")) ","
    OP2("s", "add", "r", "c") ","
    OP1("x", "relu", "s") ","
    OP1("g", "gap", "x") ","
    FC_OF("g"),
    "a:3x3x3x8 ab:8 d:3x3x1x8 c:1x1x8x8 fc:5x8 fcb:5", 5, 8, 8, 16, NULL};
/* clang-format on */

/* A network in 8 bits: its tensors, and its text, for free(). */
static char *quantize_made(const made_model *model, joined *made) {
  cam_graph *graph;
  ranges seen;
  const char *path = made_model_write(model);
  ck_assert(!graph_load(path, &graph, NULL));
  unlink(path);
  watch(graph, &seen);
  ck_assert(!quantize_graph(graph, &seen, "victim-int8", made, NULL));
  ranges_free(&seen);
  graph_free(graph);
  return json_print(made->document, true, NULL);
}

/* Loads what text and tensors say; NULL: it is refused. */
static cam_graph *load_joined(const joined *made, const char *text, cam_error *error) {
  cam_graph *graph;
  char path[] = "/tmp/camserve-int8-XXXXXX";
  const int fd = mkstemp(path);
  FILE *file = fdopen(fd, "wb");
  ck_assert(file &&
            !safetensors_write(file, made->tensors, made->n_tensors, "camserve", text, NULL));
  ck_assert_int_eq(fclose(file), 0);
  *error = (cam_error){0};
  const cam_code code = graph_load(path, &graph, error);
  ck_assert(code == CAM_OK || code == CAM_E_MODEL);
  unlink(path);
  return graph;
}

/* The error's detail, "" if it is accepted. */
static const char *load_changed(const joined *made, const char *text) {
  static cam_error error;
  graph_free(load_joined(made, text, &error));
  return error.detail;
}

/* The same of the way back to float32, of what is accepted. */
static const char *back_of_changed(const joined *made, const char *text) {
  static cam_error error;
  cam_graph *graph = load_joined(made, text, &error), *back;
  ck_assert_msg(graph != NULL, "%s", error.detail);
  dequantize(graph, &back, &error);
  graph_free(back);
  graph_free(graph);
  return error.detail;
}

/* The text with `member` of a node, up to the end of its value, replaced; NULL: taken away. */
static char *change_member(const char *text, const char *node, const char *member,
                           const char *value) {
  char name[64], key[64];
  char *changed = calloc(strlen(text) + 256, 1);
  snprintf(name, sizeof name, "\"name\":\"%s\"", node);
  snprintf(key, sizeof key, ",\"%s\":", member);
  const char *from = strstr(strstr(text, name), key), *end = from + strlen(key);
  end += strcspn(end, *end == '{' ? "}" : ",}") + (*end == '{');
  memcpy(changed, text, (size_t)(from - text));
  if (value)
    snprintf(changed + strlen(changed), 200, ",\"%s\":%s", member, value);
  strcat(changed, end);
  return changed;
}

static char *replace_member(char *text, const char *node, const char *member, const char *value) {
  char *changed = change_member(text, node, member, value);
  free(text);
  return changed;
}

static const struct {
  const char *node, *member, *value, *detail;
} wrong_members[] = {
    {"r", "quantization", "{\"scale\":0,\"zero_point\":0}",
     "node \"r\": quantization: member \"scale\""},
    {"r", "quantization", "{\"scale\":-0.1,\"zero_point\":0}",
     "node \"r\": quantization: member \"scale\""},
    {"r", "quantization", "{\"scale\":1e300,\"zero_point\":0}",
     "node \"r\": quantization: member \"scale\""},
    {"r", "quantization", "{\"scale\":1e-300,\"zero_point\":0}",
     "node \"r\": quantization: member \"scale\""},
    {"r", "quantization", "{\"scale\":\"1\",\"zero_point\":0}",
     "node \"r\": quantization: member \"scale\""},
    {"r", "quantization", "{\"scale\":null,\"zero_point\":0}",
     "node \"r\": quantization: member \"scale\""},
    {"r", "quantization", "{\"scale\":0.1,\"zero_point\":-1}",
     "node \"r\": quantization: member \"zero_point\""},
    {"r", "quantization", "{\"scale\":0.1,\"zero_point\":256}",
     "node \"r\": quantization: member \"zero_point\""},
    {"r", "quantization", "{\"scale\":0.1,\"zero_point\":0.5}",
     "node \"r\": quantization: member \"zero_point\""},
    {"r", "quantization", "{\"scale\":0.1}", "node \"r\": quantization must be"},
    {"r", "quantization", "{\"scale\":0.1,\"zero_point\":0,\"axis\":1}",
     "node \"r\": quantization must be"},
    {"r", "quantization", "7", "node \"r\": quantization must be"},
    {"r", "quantization", NULL, "node \"r\": its quantization is missing"},
    {"d", "quantization", NULL, "node \"d\": its quantization is missing"},
    {"x", "quantization", NULL, "node \"s\": its quantization is missing"},
    {"t", "quantization", NULL,
     "node \"c\": its weights have 8 bits, but node \"t\", which it reads, has no quantization"},
    {"c", "weight_scale", NULL, "tensor \"c.weight\" has dtype I8; F32 is needed"},
    {"c", "weight_scale", "\"fc.bias\"", "node \"c\": tensor \"fc.bias\" must have 8 values"},
    {"c", "weight", "\"c.weight_scale\"", "has dtype F32; I8 (it has a weight_scale) is needed"},
    {"d", "weight", "\"c.weight\"", "node \"d\": tensor \"c.weight\" takes 8 channels a group"},
    {"c", "bias", "\"c.weight_scale\"", "has dtype F32; I32 (it has a weight_scale) is needed"},
    {"fc", "bias", "\"c.bias\"", "has dtype I32; F32 is needed"},
    {"x", "quantization", "{\"scale\":1e-9,\"zero_point\":0}", "times the scale of \"x\""},
};

START_TEST(wrong_members_are_refused) {
  joined made;
  char *text = quantize_made(&victim, &made);
  ck_assert_str_eq(load_changed(&made, text), "");
  for (size_t i = 0; i < sizeof wrong_members / sizeof *wrong_members; i++) {
    char *changed = change_member(text, wrong_members[i].node, wrong_members[i].member,
                                  wrong_members[i].value);
    const char *detail = load_changed(&made, changed);
    ck_assert_msg(strstr(detail, wrong_members[i].detail) != NULL, "%zu: wanted \"%s\", got \"%s\"",
                  i, wrong_members[i].detail, detail);
    free(changed);
  }
  char *large = change_member(
      text, "victim-int8", "input",
      "{\"height\":4096,\"width\":4096,\"channels\":\"RGB\",\"mean\":[0,0,0],"
      "\"scale\":[1,1,1],\"resize\":\"stretch\"}");
  ck_assert_ptr_nonnull(strstr(load_changed(&made, large), "node \"g\": the mean of 4096 x 4096"));
  free(large);
  char *version = strstr(text, "\"version\":3");
  version[10] = '2';
  ck_assert_ptr_nonnull(
      strstr(load_changed(&made, text), "8 bits in a file of a version before 3"));
  free(text);
  joined_free(&made);
}
END_TEST

typedef enum damage {
  SCALE_0,
  SCALE_BELOW,
  SCALE_INF,
  SCALE_NAN,
  SCALE_SHORT,
  WEIGHT,
  BIAS
} damage;

static const struct {
  damage what;
  const char *tensor, *detail;
} wrong_tensors[] = {
    {SCALE_0, "c.weight_scale", "tensor \"c.weight_scale\": scale 1 is 0"},
    {SCALE_BELOW, "d.weight_scale", "tensor \"d.weight_scale\": scale 1 is -1"},
    {SCALE_INF, "a.weight_scale", "tensor \"a.weight_scale\" has a value that is not finite"},
    {SCALE_NAN, "fc.weight_scale", "tensor \"fc.weight_scale\" has a value that is not finite"},
    {SCALE_SHORT, "c.weight_scale", "tensor \"c.weight_scale\" must have 8 values"},
    {SCALE_SHORT, "fc.weight_scale", "tensor \"fc.weight_scale\" must have 5 values"},
    {WEIGHT, "d.weight", "tensor \"d.weight\" has a value of -128"},
    {WEIGHT, "fc.weight", "tensor \"fc.weight\" has a value of -128"},
    {BIAS, "a.bias", "node \"a\": the sums of channel 1 may come to"},
    {BIAS, "d.bias", "node \"d\": the sums of channel 1 may come to"},
};

/* Value 1 of a tensor, or its length. */
static void damage_tensor(const cam_tensor *tensor, cam_tensor *changed, damage what) {
  static float reals[16];
  static int8_t bytes[512];
  static int32_t wholes[16];
  *changed = *tensor;
  if (tensor->data)
    changed->data = memcpy(reals, tensor->data, tensor->count * sizeof *reals);
  if (tensor->bytes)
    changed->bytes = memcpy(bytes, tensor->bytes, tensor->count);
  if (tensor->wholes)
    changed->wholes = memcpy(wholes, tensor->wholes, tensor->count * sizeof *wholes);
  static const float scales[] = {
      [SCALE_0] = 0, [SCALE_BELOW] = -1, [SCALE_INF] = INFINITY, [SCALE_NAN] = NAN};
  if (what <= SCALE_NAN)
    reals[1] = scales[what];
  bytes[1] = -128;
  wholes[1] = INT32_MIN;
  if (what == SCALE_SHORT)
    changed->count = (size_t)--changed->shape[0];
}

START_TEST(wrong_tensors_are_refused) {
  joined made;
  char *text = quantize_made(&victim, &made);
  int changes = 0;
  for (size_t i = 0; i < sizeof wrong_tensors / sizeof *wrong_tensors; i++)
    for (int t = 0; t < made.n_tensors; t++) {
      const cam_tensor whole = made.tensors[t];
      if (strcmp(whole.name, wrong_tensors[i].tensor) != 0)
        continue;
      changes++;
      damage_tensor(&whole, &made.tensors[t], wrong_tensors[i].what);
      const char *detail = load_changed(&made, text);
      ck_assert_msg(strstr(detail, wrong_tensors[i].detail) != NULL,
                    "%zu: wanted \"%s\", got \"%s\"", i, wrong_tensors[i].detail, detail);
      made.tensors[t] = whole;
    }
  ck_assert_uint_eq((size_t)changes, sizeof wrong_tensors / sizeof *wrong_tensors);
  free(text);
  joined_free(&made);
}
END_TEST

/* Two nodes with the tensors of one: what a bias stands for depends on the plane that is read. */
START_TEST(tensors_that_nodes_share) {
  static const made_model pair = {CONV("a", "input", W("a")) "," CONV(
                                      "b", "a", W("b") B("bb")) "," CONV("x", "b", W("c") B("cb"))
                                      TAIL,
                                  "a:1x1x3x8 b:1x1x8x8 bb:8 c:1x1x8x8 cb:8 fc:5x8 fcb:5",
                                  5,
                                  8,
                                  8,
                                  0,
                                  NULL};
  static const char one[] = "{\"scale\":0.5,\"zero_point\":3}";
  static const char other[] = "{\"scale\":0.25,\"zero_point\":3}";
  static const struct {
    const char *plane, *detail;
  } of_b[] = {{one, ""}, {other, "nodes \"b\" and \"x\" share tensor \"b.bias\""}};
  joined made;
  char *text = quantize_made(&pair, &made);
  text = replace_member(text, "x", "weight", "\"b.weight\"");
  text = replace_member(text, "x", "weight_scale", "\"b.weight_scale\"");
  text = replace_member(text, "x", "bias", "\"b.bias\"");
  text = replace_member(text, "a", "quantization", one);
  for (int i = 0; i < 2; i++) {
    text = replace_member(text, "b", "quantization", of_b[i].plane);
    const char *detail = back_of_changed(&made, text);
    ck_assert_msg(!strncmp(detail, of_b[i].detail, strlen(of_b[i].detail)) && !*detail == !i, "%s",
                  detail);
  }
  free(text);
  joined_free(&made);
}
END_TEST

Suite *int8_suite(void);
Suite *int8_suite(void) {
  Suite *suite = suite_create("int8");
  TCase *tcase = tcase_create("layers");
  tcase_set_tags(tcase, "alone"); /* threads are those of `bits` */
  tcase_add_loop_test(tcase, layers_are_the_twin_to_the_bit, 0, CASES);
  tcase_add_loop_test(tcase, stems_come_back, 0, sizeof stems / sizeof *stems);
  tcase_add_test(tcase, a_scale_of_0);
  tcase_add_test(tcase, averages_stay);
  tcase_add_test(tcase, averages_of_photos);
  suite_add_tcase(suite, tcase);
  tcase = tcase_create("bits");
  tcase_add_loop_test(tcase, answers_are_these_bits, 0, 2);
  suite_add_tcase(suite, tcase);
  tcase = tcase_create("files");
  tcase_add_test(tcase, wrong_members_are_refused);
  tcase_add_test(tcase, wrong_tensors_are_refused);
  tcase_add_test(tcase, tensors_that_nodes_share);
  suite_add_tcase(suite, tcase);
  return suite;
}
