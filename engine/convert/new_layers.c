/* new_layers.c - new_layers.h. */
#include "new_layers.h"
#include <math.h>
#include <string.h>

enum { MAX_AXES = 4, MAX_LAYER_NAME = 64 };
static const int64_t most_values = 1 << 28;

/* A layer that is made. */
typedef struct new_layer {
  const json *node;
  const char *name, *layout, *wanted; /* the layout of its weight in the file, and here */
  int axes;
  int64_t shape[MAX_AXES]; /* as wanted */
} new_layer;

static uint64_t draw_bits(uint64_t *state) { /* splitmix64 */
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

/* Above 0, up to 1. */
static double draw_share(uint64_t *state) {
  return ((double)(draw_bits(state) >> 11) + 1) * 0x1p-53;
}

static double draw_normal(uint64_t *state) { /* Box and Muller, 1958 */
  const double radius = sqrt(-2 * log(draw_share(state)));
  return radius * cos(2 * M_PI * draw_share(state));
}

/* A layer's own sequence, FNV-1a of its name in the seed. */
static uint64_t sequence_of(const char *name, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325;
  for (; *name; name++)
    hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
  return hash + seed * 0x2545f4914f6cdd1d;
}

/* ---- what the architecture says ---- */

static cam_code find_layer(const json *architecture, const char *name, new_layer *out,
                           cam_error *error) {
  char able[120] = "";
  const json *found = NULL;
  const json *nodes = json_member(architecture, "nodes");
  for (const json *node = json_first(nodes); node; node = json_next(node)) {
    const char *its_name = json_text(json_member(node, "name"));
    if (!json_member(node, "new"))
      continue;
    if (!strcmp(its_name, name))
      found = node;
    strncat(able, *able ? ", " : "", sizeof able - strlen(able) - 1);
    strncat(able, its_name, sizeof able - strlen(able) - 1);
  }
  if (!found && *able)
    return cam_fail(error, CAM_E_PARAMETER, "--new: no layer \"%.40s\" can be new; %.90s can", name,
                    able);
  if (!found)
    return cam_fail(error, CAM_E_PARAMETER, "--new: the architecture has no layer that can be new");
  out->node = found;
  out->name = json_text(json_member(found, "name"));
  return CAM_OK;
}

static cam_code read_new_shape(const json *architecture, new_layer *out, cam_error *error) {
  const json *shape = json_member(json_member(out->node, "new"), "shape");
  const char *op = json_text(json_member(out->node, "op"));
  const char *kind = strcmp(op, "fc") ? "conv" : "fc";
  out->wanted = strcmp(op, "fc") ? "HWIO" : "OI";
  out->layout = json_text(json_member(json_member(architecture, "source"), kind));
  out->axes = (int)strlen(out->wanted);
  int64_t count = 1;
  int n = 0;
  for (const json *each = json_first(shape); each && n < out->axes; each = json_next(each)) {
    const double value = json_number(each);
    if (!(value >= 1 && value <= 65536) || value != floor(value))
      break;
    out->shape[n++] = (int64_t)value;
    count *= (int64_t)value;
    if (count > most_values)
      break;
  }
  if (n != out->axes || json_count(shape) != n || count > most_values ||
      strlen(out->layout) != strlen(out->wanted) ||
      strspn(out->layout, out->wanted) != strlen(out->wanted))
    return cam_fail(error, CAM_E_MODEL, "node %.60s: member \"new\" must have a \"shape\" %s",
                    out->name, out->wanted);
  return CAM_OK;
}

/* ---- what is added ---- */

static cam_code no_room_for_layer(const new_layer *layer, cam_error *error) {
  return cam_fail(error, CAM_E_NO_MEMORY, "--new: no memory for layer %.60s", layer->name);
}

/* Floats of the arena as a tensor of the file, which has none of that name. */
static cam_code add_made(weights *all, const new_layer *layer, const char *member,
                         const float *values, const number_view *like, cam_error *error) {
  number_view view = *like;
  const char *name = json_text(json_member(layer->node, member));
  if (weights_find(all, name))
    return cam_fail(error, CAM_E_WEIGHTS, "--new: tensor %.60s of %.40s is in the file", name,
                    layer->name);
  view.data = (const uint8_t *)(const void *)values;
  view.type = NUMBER_F32;
  number_set_strides(&view, false);
  return weights_add(all, name, &view, error);
}

/* Drawn for the layout that the file would have. */
static cam_code add_drawn(weights *all, const new_layer *layer, uint64_t seed, cam_error *error) {
  number_view view = {.rank = layer->axes};
  uint64_t state = sequence_of(layer->name, seed);
  int64_t inputs = 1;
  for (int i = 0; i < layer->axes; i++) {
    view.shape[strchr(layer->layout, layer->wanted[i]) - layer->layout] = layer->shape[i];
    if (layer->wanted[i] != 'O')
      inputs *= layer->shape[i];
  }
  const size_t n = (size_t)number_count(&view);
  float *values = arena_alloc(all->memory, n * sizeof *values);
  if (!values)
    return no_room_for_layer(layer, error);
  for (size_t i = 0; i < n; i++)
    values[i] = (float)(sqrt(2.0 / (double)inputs) * draw_normal(&state));
  return add_made(all, layer, "weight", values, &view, error);
}

static cam_code add_zeros(weights *all, const new_layer *layer, cam_error *error) {
  const int64_t outputs = layer->shape[strchr(layer->wanted, 'O') - layer->wanted];
  const number_view view = {.rank = 1, .shape = {outputs}};
  if (!json_member(layer->node, "bias"))
    return CAM_OK;
  const float *values = arena_alloc(all->memory, (size_t)outputs * sizeof *values);
  if (!values)
    return no_room_for_layer(layer, error);
  return add_made(all, layer, "bias", values, &view, error);
}

static cam_code add_layer_named(const json *architecture, const char *name, uint64_t seed,
                                weights *all, cam_error *error) {
  new_layer layer = {0};
  cam_code code = find_layer(architecture, name, &layer, error);
  if (!code)
    code = read_new_shape(architecture, &layer, error);
  if (!code)
    code = add_drawn(all, &layer, seed, error);
  if (!code)
    code = add_zeros(all, &layer, error);
  return code;
}

cam_code new_layers_add(const json *architecture, const char *names, uint64_t seed, weights *all,
                        cam_error *error) {
  cam_code code = CAM_OK;
  while (!code && *names) {
    char name[MAX_LAYER_NAME];
    const size_t n = strcspn(names, ",");
    if (n >= sizeof name)
      return cam_fail(error, CAM_E_PARAMETER, "--new: %.40s... is too long", names);
    memcpy(name, names, n);
    name[n] = '\0';
    names += n + (names[n] == ',');
    code = add_layer_named(architecture, name, seed, all, error);
    if (!code)
      code = weights_sort(all, error);
  }
  return code;
}
