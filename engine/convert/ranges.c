/* ranges.c - ranges.h. Untrusted input: a file. */
#include "ranges.h"
#include "cam_minmax.h"
#include "document.h"
#include "identity.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 16 << 20 };
static const float MOST_END = 1e15f; /* as scales are */

static void set_empty(float (*ends)[2], int n) {
  for (int i = 0; i < n; i++) {
    ends[i][0] = INFINITY;
    ends[i][1] = -INFINITY;
  }
}

static bool is_empty(const float ends[2]) { return ends[0] > ends[1]; }

cam_code ranges_create(const cam_graph *graph, ranges *out, cam_error *error) {
  const size_t n = (size_t)graph->head + 1;
  *out = (ranges){.n = graph->head,
                  .ends = calloc(n, sizeof *out->ends),
                  .photo = calloc(n, sizeof *out->photo),
                  .sums = calloc(n, sizeof *out->sums),
                  .means = averages_create(graph)};
  if (!out->ends || !out->photo || !out->sums || !out->means)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the ranges of %d nodes", graph->head);
  set_empty(out->ends, out->n);
  set_empty(out->photo, out->n);
  return CAM_OK;
}

void ranges_free(ranges *r) {
  free(r->ends);
  free(r->photo);
  free(r->sums);
  averages_free(r->means, r->n);
  *r = (ranges){0};
}

void ranges_widen(ranges *r, int node, const float *values, int n, int channels, int stride) {
  float least = r->photo[node][0], most = r->photo[node][1];
  averages_add(&r->means[node], values, n, channels, stride);
  for (int i = 0; i < n; i++, values += stride)
    for (int c = 0; c < channels; c++) {
      least = min_float(values[c], least);
      most = max_float(values[c], most);
    }
  r->photo[node][0] = least;
  r->photo[node][1] = most;
}

void ranges_end_photo(ranges *r) {
  for (int i = 0; i < r->n; i++) {
    r->ends[i][0] = fminf(r->ends[i][0], r->photo[i][0]);
    r->ends[i][1] = fmaxf(r->ends[i][1], r->photo[i][1]);
    r->sums[i][0] += (double)r->photo[i][0];
    r->sums[i][1] += (double)r->photo[i][1];
  }
  set_empty(r->photo, r->n);
  r->photos++;
}

void ranges_settle(const cam_graph *graph, ranges *r) {
  for (int i = 0; i < r->n && r->photos; i++)
    for (int end = 0; end < 2; end++)
      if (i != graph->nodes[graph->head].inputs[0])
        r->ends[i][end] = (float)(((double)r->ends[i][end] + r->sums[i][end] / r->photos) / 2);
  for (int i = 0; i < r->n; i++)
    averages_settle(&r->means[i], r->ends[i]);
}

/* ---- a file ---- */

cam_code ranges_path(const char *model, char *out, size_t room, cam_error *error) {
  static const char ending[] = ".safetensors";
  size_t n = strlen(model);
  if (n > sizeof ending && !strcmp(model + n - sizeof ending + 1, ending))
    n -= sizeof ending - 1;
  if (snprintf(out, room, "%.*s.ranges.json", (int)n, model) >= (int)room)
    return cam_fail(error, CAM_E_IO, "a path is too long");
  return CAM_OK;
}

static int node_named(const cam_graph *graph, const char *name) {
  for (int i = 0; i < graph->head; i++)
    if (!strcmp(graph->nodes[i].name, name))
      return i;
  return -1;
}

static cam_code read_ends(const char *path, const json *pair, float ends[2], cam_error *error) {
  const json *least = json_first(pair), *most = json_next(least);
  if (json_type_of(pair) != JSON_ARRAY || json_count(pair) != 2 ||
      json_type_of(least) != JSON_NUMBER || json_type_of(most) != JSON_NUMBER)
    return cam_fail(error, CAM_E_MODEL, "%.60s: node \"%.60s\" needs [least, most]", path,
                    json_name(pair));
  ends[0] = (float)json_number(least);
  ends[1] = (float)json_number(most);
  if (!(fabsf(ends[0]) <= MOST_END && fabsf(ends[1]) <= MOST_END && ends[0] <= ends[1]))
    return cam_fail(error, CAM_E_MODEL,
                    "%.40s: node \"%.40s\": [%g, %g] is not [least, most] within -%g to %g", path,
                    json_name(pair), json_number(least), json_number(most), (double)MOST_END,
                    (double)MOST_END);
  return CAM_OK;
}

static cam_code read_pair(const char *path, const json *pair, const cam_graph *graph, ranges *out,
                          cam_error *error) {
  const int node = node_named(graph, json_name(pair));
  if (node < 0)
    return cam_fail(error, CAM_E_MODEL, "%.60s: the network has no node \"%.60s\"", path,
                    json_name(pair));
  return read_ends(path, pair, out->ends[node], error);
}

/* Ranges of other weights would cut off values, or waste levels on none. */
static cam_code check_identity(const char *path, const json *tree, const cam_graph *graph,
                               cam_error *error) {
  const char *found = json_text(json_member(tree, "layers"));
  char wanted[65];
  if (!*found) /* written by hand, or by another program: its nodes must do */
    return CAM_OK;
  cam_code code = identity_of_layers(graph, wanted, error);
  if (code)
    return code;
  if (strcmp(found, wanted) != 0)
    return cam_fail(error, CAM_E_MODEL,
                    "%.40s: has ranges of model %.24s, layers %.12s; the layers of model %.24s are "
                    "%.12s",
                    document_last_name(path), json_text(json_member(tree, "model")), found,
                    graph->name, wanted);
  return CAM_OK;
}

static cam_code read_all(const char *path, const json *tree, const cam_graph *graph, ranges *out,
                         cam_error *error) {
  const json *list = json_member(tree, "ranges");
  if (json_type_of(list) != JSON_OBJECT)
    return cam_fail(error, CAM_E_MODEL, "%.100s: has no \"ranges\"", path);
  cam_code code = check_identity(path, tree, graph, error);
  for (const json *pair = json_first(list); pair && !code; pair = json_next(pair))
    code = read_pair(path, pair, graph, out, error);
  for (int i = 0; i < out->n && !code; i++)
    if (is_empty(out->ends[i]))
      code = cam_fail(error, CAM_E_MODEL, "%.60s: node \"%.60s\" is missing", path,
                      graph->nodes[i].name);
  return code;
}

static cam_code read_means(const char *path, const json *tree, const cam_graph *graph, ranges *out,
                           cam_error *error) {
  const json *list = json_member(tree, "means");
  cam_code code = CAM_OK;
  for (const json *row = json_first(list); row && !code; row = json_next(row)) {
    const int node = node_named(graph, json_name(row));
    if (node < 0)
      return cam_fail(error, CAM_E_MODEL, "%.60s: the network has no node \"%.60s\"", path,
                      json_name(row));
    code = averages_read(&out->means[node], path, row, error);
  }
  for (int i = 0; i < out->n && list && !code; i++)
    if (out->means[i].channels && !out->means[i].known)
      code = cam_fail(error, CAM_E_MODEL, "%.60s: the means of node \"%.60s\" are missing", path,
                      graph->nodes[i].name);
  return code;
}

cam_code ranges_read(const char *path, const cam_graph *graph, ranges *out, cam_error *error) {
  size_t n = 0;
  char *text = document_read_text(path, MOST_BYTES, &n, error);
  if (!text)
    return error->code;
  json *tree = json_parse(text, n, CAM_E_MODEL, error);
  free(text);
  if (!tree) {
    const cam_error why = *error;
    return cam_fail(error, why.code, "%.80s: %s", path, why.detail);
  }
  cam_code code = read_all(path, tree, graph, out, error);
  if (!code)
    code = read_means(path, tree, graph, out, error);
  json_free(tree);
  return code;
}

/* {NODE: [...]} without its braces, behind the row before; frees it. */
static bool print_node_line(FILE *file, const char *before, json *tree) {
  size_t length = 0;
  char *text = json_print(tree, true, &length);
  json_free(tree);
  if (!text)
    return false;
  fprintf(file, "%s\n%.*s", before, (int)length - 2, text + 1);
  free(text);
  return true;
}

static bool print_means(FILE *file, const cam_graph *graph, const ranges *r) {
  const char *before = ", \"means\": {";
  for (int i = 0; i < r->n; i++) {
    if (!r->means[i].known)
      continue;
    json *tree = json_new_object();
    averages_print(&r->means[i], json_add_array(tree, graph->nodes[i].name));
    if (!print_node_line(file, before, tree))
      return false;
    before = ",";
  }
  if (*before == ',' && !before[1])
    fprintf(file, "}");
  return true;
}

/* A node a line: people compare such files. */
static bool print_ranges(FILE *file, const cam_graph *graph, const char *identity,
                         const ranges *r) {
  fprintf(file, "{\"model\": \"%s\", \"layers\": \"%s\", \"photos\": %d, \"ranges\": {",
          graph->name, identity, r->photos);
  const char *comma = "";
  for (int i = 0; i < r->n; i++) {
    json *tree = json_new_object(), *pair = json_add_array(tree, graph->nodes[i].name);
    json_add_number(pair, NULL, (double)r->ends[i][0]);
    json_add_number(pair, NULL, (double)r->ends[i][1]);
    if (!print_node_line(file, comma, tree))
      return false;
    comma = ",";
  }
  fprintf(file, "}");
  if (!print_means(file, graph, r))
    return false;
  fprintf(file, "}\n");
  return true;
}

cam_code ranges_write(const char *path, const cam_graph *graph, const ranges *r, cam_error *error) {
  char identity[65];
  cam_code code = identity_of_layers(graph, identity, error);
  if (code)
    return code;
  FILE *file = fopen(path, "wb");
  if (!file)
    return cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  const bool enough = print_ranges(file, graph, identity, r), broken = ferror(file);
  if (fclose(file) || broken)
    return cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  if (!enough)
    return cam_fail(error, CAM_E_NO_MEMORY, "%.120s: no memory", path);
  return CAM_OK;
}
