/* join.c - see join.h. Nodes are read in order, each after its inputs; a table says what each
 * operator takes from the weights. Batch norms only change a factor and a bias per output channel
 * (in double) of the convolution they follow; the weights themselves are read, multiplied and
 * rounded once at the end, one tensor at a time, so that memory stays near the size of the result.
 */
#include "join.h"
#include "document.h"
#include "labels.h"
#include "network/graph.h"
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUTS = 64, MAX_NODES = 4096 };

/* A node of the architecture on its way into the model file. */
typedef struct unit {
  const char *name, *op;
  const json *source;
  int n_inputs, inputs[MAX_INPUTS]; /* indices of units, -1: the picture */
  int becomes; /* the unit that computes its output: itself, or the convolution it is folded into */
  int uses;    /* inputs of others that are its output */
  int64_t channels; /* of its output */
  const weight *weight;
  number_view view;      /* of the weight, in the engine's layout */
  double *factor, *bias; /* [channels] the weight's factor (NULL: 1), the bias (NULL: none) */
} unit;

typedef struct join {
  const json *architecture;
  weights *all;
  unit *units;
  int n;
  joined *out;
  cam_error *error;
} join;

typedef cam_code join_unit(join *j, unit *u);

static cam_code no_memory(join *j) {
  return cam_fail(j->error, CAM_E_NO_MEMORY, "no memory to join the architecture and its weights");
}

/* ---- tensors ---- */

/* The tensor that a member of the node names. */
static cam_code find_tensor(join *j, const unit *u, const char *member, weight **out) {
  const char *name = NULL;
  char where[96];
  snprintf(where, sizeof where, "node %.80s", u->name);
  cam_code code = json_get_text(u->source, member, &name, CAM_E_MODEL, where, j->error);
  if (code)
    return code;
  *out = weights_find(j->all, name);
  if (!*out)
    return cam_fail(j->error, CAM_E_WEIGHTS, "tensor %.60s of node %.60s is not in the file", name,
                    u->name);
  (*out)->used = true;
  return CAM_OK;
}

static cam_code wrong_shape(join *j, const unit *u, const weight *w, const char *expected) {
  char shape[96];
  number_shape_text(&w->view, shape);
  return cam_fail(j->error, CAM_E_WEIGHTS,
                  "tensor %.50s of node %.40s has shape %.40s; expected is %s", w->name, u->name,
                  shape, expected);
}

static cam_code check_finite(join *j, const char *tensor, const double *values, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!(fabs(values[i]) <= 3.4028234663852886e38))
      return cam_fail(j->error, CAM_E_WEIGHTS,
                      "tensor %.80s holds %g, which is not a finite float32", tensor, values[i]);
  return CAM_OK;
}

/* A tensor with one number per output channel, as double, for free(). */
static cam_code read_vector(join *j, const unit *u, const char *member, int64_t n, double **out) {
  weight *w;
  cam_code code = find_tensor(j, u, member, &w);
  if (code)
    return code;
  if (w->view.rank != 1 || w->view.shape[0] != n) {
    char expected[32];
    snprintf(expected, sizeof expected, "[%lld]", (long long)n);
    return wrong_shape(j, u, w, expected);
  }
  *out = malloc((size_t)n * sizeof **out);
  if (!*out)
    return no_memory(j);
  number_read(&w->view, *out);
  return check_finite(j, w->name, *out, n);
}

/* The place of each letter of `wanted` in `layout`: OIHW for HWIO is {2, 3, 1, 0}. False if they
 * are not the same letters. */
static bool find_letters(const char *layout, const char *wanted, int *place) {
  if (strlen(layout) != strlen(wanted))
    return false;
  for (int i = 0; wanted[i]; i++) {
    const char *found = strchr(layout, wanted[i]);
    if (!found)
      return false;
    place[i] = (int)(found - layout);
  }
  return true;
}

/* The order of axes that "source" gives for `kind` of weights. */
static cam_code read_layout(join *j, const char *kind, const char *wanted, int *place) {
  const char *layout = NULL;
  cam_code code = json_get_text(json_member(j->architecture, "source"), kind, &layout, CAM_E_MODEL,
                                "source", j->error);
  if (code)
    return code;
  if (!find_letters(layout, wanted, place))
    return cam_fail(j->error, CAM_E_MODEL,
                    "source: layout \"%.20s\" of \"%s\" is no order of the letters %s", layout,
                    kind, wanted);
  return CAM_OK;
}

/* Finds the node's weight and turns its axes into the engine's order. */
static cam_code find_weight(join *j, unit *u, const char *kind, const char *wanted) {
  int place[4];
  weight *w;
  cam_code code = read_layout(j, kind, wanted, place);
  if (!code)
    code = find_tensor(j, u, "weight", &w);
  if (code)
    return code;
  char expected[64];
  snprintf(expected, sizeof expected, "of rank %zu, none of it 0", strlen(wanted));
  if (w->view.rank != (int)strlen(wanted) || number_count(&w->view) < 1)
    return wrong_shape(j, u, w, expected);
  u->weight = w;
  u->view = w->view;
  for (int i = 0; wanted[i]; i++) {
    u->view.shape[i] = w->view.shape[place[i]];
    u->view.stride[i] = w->view.stride[place[i]];
  }
  return CAM_OK;
}

/* ---- operators ---- */

static int64_t channels_in(const join *j, const unit *u, int i) {
  if (u->inputs[i] < 0)
    return 3;
  return j->units[u->inputs[i]].channels;
}

static cam_code read_unit_bias(join *j, unit *u) {
  if (!json_member(u->source, "bias"))
    return CAM_OK;
  return read_vector(j, u, "bias", u->channels, &u->bias);
}

/* 1 where the node says none. */
static cam_code read_unit_groups(join *j, const unit *u, const char *where, int64_t *groups) {
  *groups = 1;
  if (!json_member(u->source, "groups"))
    return CAM_OK;
  return json_get_int(u->source, "groups", 1, 65536, groups, CAM_E_MODEL, where, j->error);
}

static cam_code join_conv(join *j, unit *u) {
  int64_t groups, in = channels_in(j, u, 0);
  char where[96], expected[96];
  snprintf(where, sizeof where, "node %.80s", u->name);
  cam_code code = read_unit_groups(j, u, where, &groups);
  if (!code)
    code = find_weight(j, u, "conv", "HWIO");
  if (code)
    return code;
  u->channels = u->view.shape[3];
  if (in % groups)
    return cam_fail(j->error, CAM_E_MODEL, "%s: %lld channels in %lld groups", where, (long long)in,
                    (long long)groups);
  snprintf(expected, sizeof expected, "one for %lld channels in %lld groups", (long long)in,
           (long long)groups);
  if (u->view.shape[2] != in / groups || u->channels % groups)
    return wrong_shape(j, u, u->weight, expected);
  return read_unit_bias(j, u);
}

static cam_code join_fc(join *j, unit *u) {
  char expected[96];
  cam_code code = find_weight(j, u, "fc", "OI");
  if (code)
    return code;
  u->channels = u->view.shape[0];
  snprintf(expected, sizeof expected, "one for %lld channels", (long long)channels_in(j, u, 0));
  if (u->view.shape[1] != channels_in(j, u, 0))
    return wrong_shape(j, u, u->weight, expected);
  return read_unit_bias(j, u);
}

/* Factors of 1 and biases of 0, where the convolution has none. */
static cam_code make_foldable(join *j, unit *conv) {
  const size_t n = (size_t)conv->channels;
  if (!conv->bias) {
    conv->bias = calloc(n, sizeof *conv->bias);
    if (!conv->bias)
      return no_memory(j);
  }
  if (conv->factor)
    return CAM_OK;
  conv->factor = malloc(n * sizeof *conv->factor);
  if (!conv->factor)
    return no_memory(j);
  for (size_t c = 0; c < n; c++)
    conv->factor[c] = 1;
  return CAM_OK;
}

/* y = scale * (x - mean) / sqrt(variance + epsilon) + shift (Ioffe and Szegedy, 2015), over x =
 * weights * input + bias. */
static cam_code fold(join *j, const unit *norm, unit *conv) {
  static const char *const members[] = {"scale", "shift", "mean", "variance"};
  enum { SCALE, SHIFT, MEAN, VARIANCE };
  double *p[4] = {0}, epsilon = 0;
  char where[96];
  snprintf(where, sizeof where, "node %.80s", norm->name);
  cam_code code = json_get_number(norm->source, "epsilon", 0, 1, &epsilon, CAM_E_MODEL, where,
                                  j->error);
  for (int i = 0; i < 4 && !code; i++)
    code = read_vector(j, norm, members[i], conv->channels, &p[i]);
  if (!code)
    code = make_foldable(j, conv);
  for (int64_t c = 0; c < conv->channels && !code; c++) {
    if (!(p[VARIANCE][c] + epsilon > 0))
      code = cam_fail(j->error, CAM_E_WEIGHTS,
                      "%s: variance %g of channel %lld plus epsilon is not positive", where,
                      p[VARIANCE][c], (long long)c);
    else {
      double scale = p[SCALE][c] / sqrt(p[VARIANCE][c] + epsilon);
      conv->factor[c] *= scale;
      conv->bias[c] = (conv->bias[c] - p[MEAN][c]) * scale + p[SHIFT][c];
    }
  }
  for (int i = 0; i < 4; i++)
    free(p[i]);
  return code;
}

static cam_code join_batch_norm(join *j, unit *u) {
  const int before = u->inputs[0]; /* its output may itself be a folded batch norm */
  unit *conv = NULL;
  if (before >= 0)
    conv = &j->units[j->units[before].becomes];
  if (!conv || strcmp(conv->op, "conv"))
    return cam_fail(j->error, CAM_E_MODEL,
                    "node %.80s: a batch_norm is folded, so it must follow a conv", u->name);
  if (j->units[before].uses != 1)
    return cam_fail(j->error, CAM_E_MODEL,
                    "node %.60s: others use the output of %.60s, too, so it cannot be folded",
                    u->name, j->units[before].name);
  u->becomes = (int)(conv - j->units);
  u->channels = conv->channels;
  j->out->batch_norms++;
  return fold(j, u, conv);
}

static cam_code join_same(join *j, unit *u) {
  u->channels = channels_in(j, u, 0);
  return CAM_OK;
}

static cam_code join_add(join *j, unit *u) {
  u->channels = channels_in(j, u, 0);
  if (u->n_inputs == 2 && channels_in(j, u, 1) == u->channels)
    return CAM_OK;
  return cam_fail(j->error, CAM_E_MODEL, "node %.80s: add takes two inputs of as many channels",
                  u->name);
}

static cam_code join_concat(join *j, unit *u) {
  for (int i = 0; i < u->n_inputs; i++)
    u->channels += channels_in(j, u, i);
  return CAM_OK;
}

/* The rest is checked when the written file is loaded, by the same code that checks any model file.
 */
static const struct {
  const char *name;
  join_unit *run;
} operators[] = {
    /* clang-format off */
    {"conv",         join_conv},
    {"fc",           join_fc},
    {"batch_norm",   join_batch_norm},
    {"relu",         join_same},
    {"relu6",        join_same},
    {"clip",         join_same},
    {"sigmoid",      join_same},
    {"hard_sigmoid", join_same},
    {"silu",         join_same},
    {"hard_swish",   join_same},
    {"gelu",         join_same},
    {"max_pool",     join_same},
    {"avg_pool",     join_same},
    {"add",          join_add},
    {"mul",          join_same},
    {"concat",       join_concat},
    {"gap",          join_same},
    /* clang-format on */
};

/* ---- the architecture's nodes ---- */

static int find_unit(const join *j, const char *name) {
  for (int i = 0; i < j->n; i++)
    if (!strcmp(j->units[i].name, name))
      return i;
  return -1;
}

static cam_code read_unit_inputs(join *j, unit *u) {
  const json *inputs = json_member(u->source, "inputs");
  if (json_type_of(inputs) != JSON_ARRAY || json_count(inputs) < 1 ||
      json_count(inputs) > MAX_INPUTS)
    return cam_fail(j->error, CAM_E_MODEL,
                    "node %.80s: member \"inputs\" must be an array of 1 to %d names", u->name,
                    MAX_INPUTS);
  for (const json *each = json_first(inputs); each; each = json_next(each)) {
    int found = find_unit(j, json_text(each));
    if (found < 0 && strcmp(json_text(each), "input"))
      return cam_fail(j->error, CAM_E_MODEL, "node %.60s: input \"%.60s\" is not an earlier node",
                      u->name, json_text(each));
    u->inputs[u->n_inputs++] = found;
    if (found >= 0)
      j->units[found].uses++;
  }
  return CAM_OK;
}

static cam_code read_units(join *j) {
  const json *nodes = json_member(j->architecture, "nodes");
  if (json_type_of(nodes) != JSON_ARRAY || json_count(nodes) < 1 || json_count(nodes) > MAX_NODES)
    return cam_fail(j->error, CAM_E_MODEL,
                    "architecture: member \"nodes\" must be an array of 1 to %d nodes", MAX_NODES);
  j->units = calloc((size_t)json_count(nodes), sizeof *j->units);
  if (!j->units)
    return no_memory(j);
  for (const json *node = json_first(nodes); node; node = json_next(node)) {
    char where[32];
    snprintf(where, sizeof where, "node %d", j->n + 1);
    unit *u = &j->units[j->n];
    *u = (unit){.source = node, .becomes = j->n};
    cam_code code = json_get_text(node, "name", &u->name, CAM_E_MODEL, where, j->error);
    if (!code)
      code = json_get_text(node, "op", &u->op, CAM_E_MODEL, where, j->error);
    if (!code && (find_unit(j, u->name) >= 0 || !strcmp(u->name, "input")))
      code = cam_fail(j->error, CAM_E_MODEL, "node %.80s: its name is taken", u->name);
    if (!code)
      code = read_unit_inputs(j, u);
    if (code)
      return code;
    j->n++;
  }
  return CAM_OK;
}

static cam_code join_units(join *j) {
  for (int i = 0; i < j->n; i++) {
    size_t op = 0, count = sizeof operators / sizeof *operators;
    while (op < count && strcmp(operators[op].name, j->units[i].op))
      op++;
    if (op == count)
      return cam_fail(j->error, CAM_E_MODEL, "node %.60s: operator \"%.40s\" is not known",
                      j->units[i].name, j->units[i].op);
    cam_code code = operators[op].run(j, &j->units[i]);
    if (code)
      return code;
  }
  return CAM_OK;
}

/* ---- what is written ---- */

/* Rounds n doubles into a new tensor "NODE.MEMBER"; the values are what `source` became. */
static cam_code add_tensor(join *j, const unit *u, const char *member, int rank,
                           const int64_t *shape, const double *values, int64_t n,
                           const char *source) {
  cam_tensor *tensor = &j->out->tensors[j->out->n_tensors];
  cam_code code = check_finite(j, source, values, n);
  if (code)
    return code;
  char *name = malloc(strlen(u->name) + strlen(member) + 2);
  float *data = malloc((size_t)n * sizeof *data);
  *tensor = (cam_tensor){
      .name = name, .dtype = "F32", .rank = rank, .data = data, .count = (size_t)n};
  j->out->n_tensors++; /* what is there so far is freed with the rest */
  if (!name || !data)
    return no_memory(j);
  sprintf(name, "%s.%s", u->name, member);
  for (int i = 0; i < rank; i++)
    tensor->shape[i] = shape[i];
  for (int64_t i = 0; i < n; i++)
    data[i] = (float)values[i];
  j->out->bytes += (size_t)n * sizeof *data;
  return CAM_OK;
}

static cam_code add_weight(join *j, const unit *u) {
  int64_t n = number_count(&u->view);
  double *values = malloc((size_t)n * sizeof *values);
  if (!values)
    return no_memory(j);
  number_read(&u->view, values);
  for (int64_t i = 0; i < n && u->factor; i++)
    values[i] *= u->factor[i % u->channels]; /* HWIO: the output channel is the last axis */
  cam_code code = add_tensor(j, u, "weight", u->view.rank, u->view.shape, values, n,
                             u->weight->name);
  free(values);
  return code;
}

static cam_code add_tensors(join *j) {
  j->out->tensors = calloc((size_t)j->n * 2, sizeof *j->out->tensors);
  if (!j->out->tensors)
    return no_memory(j);
  for (int i = 0; i < j->n; i++) {
    const unit *u = &j->units[i];
    cam_code code = CAM_OK;
    if (u->weight)
      code = add_weight(j, u);
    if (!code && u->bias)
      code = add_tensor(j, u, "bias", 1, &u->channels, u->bias, u->channels, u->name);
    if (code)
      return code;
  }
  return CAM_OK;
}

static void add_tensor_name(json *node, const char *member, const unit *u) {
  char name[1024];
  snprintf(name, sizeof name, "%.1000s.%s", u->name, member);
  json_add_text(node, member, name);
}

static void add_node(const join *j, json *nodes, const unit *u) {
  static const char *const rewritten[] = {"inputs", "weight", "bias", "new"};
  json *node = json_add_object(nodes, NULL);
  for (const json *member = json_first(u->source); member; member = json_next(member)) {
    bool keep = true;
    for (size_t i = 0; i < sizeof rewritten / sizeof *rewritten; i++)
      keep &= strcmp(rewritten[i], json_name(member)) != 0;
    if (keep)
      document_copy(node, json_name(member), member);
  }
  json *inputs = json_add_array(node, "inputs");
  for (int i = 0; i < u->n_inputs; i++) {
    const char *name = "input";
    if (u->inputs[i] >= 0)
      name = j->units[j->units[u->inputs[i]].becomes].name;
    json_add_text(inputs, NULL, name);
  }
  if (u->weight)
    add_tensor_name(node, "weight", u);
  if (u->bias)
    add_tensor_name(node, "bias", u);
}

static cam_code write_document(join *j, const char *labels_folder) {
  static const char *const kept[] = {"name", "origin", "license", "input", "map", "probability"};
  json *document = j->out->document = json_new_object();
  json_add_int(document, "version", GRAPH_VERSION);
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    if (json_member(j->architecture, kept[i]))
      document_copy(document, kept[i], json_member(j->architecture, kept[i]));
  cam_code code = labels_add(j->architecture, labels_folder, document, j->error);
  if (code)
    return code;
  const unit *last = &j->units[j->n - 1];
  if (json_count(json_member(document, "classes")) != last->channels)
    return cam_fail(j->error, CAM_E_MODEL, "node %.60s gives %lld classes, \"classes\" names %d",
                    last->name, (long long)last->channels,
                    json_count(json_member(document, "classes")));
  json *nodes = json_add_array(document, "nodes");
  for (int i = 0; i < j->n; i++)
    if (j->units[i].becomes == i)
      add_node(j, nodes, &j->units[i]);
  return CAM_OK;
}

cam_code join_weights(const json *architecture, const char *labels_folder, weights *all,
                      joined *out, cam_error *error) {
  *out = (joined){0};
  join j = {.architecture = architecture, .all = all, .out = out, .error = error};
  cam_code code = graph_check_version(architecture, error);
  if (!code)
    code = read_units(&j);
  if (!code)
    code = join_units(&j);
  if (!code)
    code = write_document(&j, labels_folder);
  if (!code)
    code = add_tensors(&j);
  for (int i = 0; i < j.n; i++) {
    free(j.units[i].factor);
    free(j.units[i].bias);
  }
  free(j.units);
  if (code)
    joined_free(out);
  return code;
}

void joined_free(joined *all) {
  for (int i = 0; i < all->n_tensors; i++) {
    free((void *)(uintptr_t)all->tensors[i].name);
    free((void *)(uintptr_t)all->tensors[i].data);
    free((void *)(uintptr_t)all->tensors[i].bytes);
    free((void *)(uintptr_t)all->tensors[i].wholes);
  }
  free(all->tensors);
  json_free(all->document);
  *all = (joined){0};
}

bool join_ignores(const json *architecture, const char *tensor) {
  for (const json *pattern = json_first(json_member(architecture, "ignore")); pattern;
       pattern = json_next(pattern))
    if (!fnmatch(json_text(pattern), tensor, 0))
      return true;
  return false;
}
