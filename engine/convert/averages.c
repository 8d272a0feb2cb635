/* averages.c - averages.h. Untrusted input: the row. */
#include "averages.h"
#include <math.h>
#include <stdlib.h>

enum { MOST_LEVEL = 255 };

static bool make_averages(averages *a, int channels) {
  if (a->channels)
    return true;
  a->channels = channels;
  a->sums = calloc((size_t)channels, sizeof *a->sums);
  a->levels = calloc((size_t)channels, sizeof *a->levels);
  return a->sums && a->levels;
}

averages *averages_create(const cam_graph *graph) {
  averages *all = calloc((size_t)graph->head + 1, sizeof *all);
  bool enough = all != NULL;
  for (int i = 0; i <= graph->head && enough; i++) {
    const int from = graph->nodes[i].inputs[0];
    if ((graph->nodes[i].op == OP_CONV || i == graph->head) && from != GRAPH_INPUT)
      enough = make_averages(&all[from], graph->nodes[from].channels);
  }
  if (enough)
    return all;
  averages_free(all, graph->head);
  return NULL;
}

void averages_free(averages *a, int nodes) {
  for (int i = 0; i < nodes && a; i++) {
    free(a[i].sums);
    free(a[i].levels);
  }
  free(a);
}

void averages_add(averages *a, const float *cells, int n, int channels, int stride) {
  if (!a->channels)
    return;
  for (int i = 0; i < n; i++, cells += stride)
    for (int c = 0; c < channels; c++)
      a->sums[c] += (double)cells[c];
  a->cells += n;
}

void averages_settle(averages *a, const float ends[2]) {
  const double least = (double)ends[0], width = (double)ends[1] - least;
  if (!a->cells)
    return;
  for (int c = 0; c < a->channels; c++) {
    const double share = (a->sums[c] / (double)a->cells - least) / width; /* NAN becomes 0 */
    a->levels[c] = (uint8_t)rint(fmin(fmax(share, 0), 1) * MOST_LEVEL);
  }
  a->known = true;
}

double averages_of(const averages *a, const float ends[2], int channel) {
  const double least = (double)ends[0], width = (double)ends[1] - least;
  return least + a->levels[channel] * width / MOST_LEVEL;
}

/* ---- a row of a file ---- */

cam_code averages_read(averages *a, const char *path, const json *row, cam_error *error) {
  if (json_type_of(row) != JSON_ARRAY || !a->channels || json_count(row) != a->channels)
    return cam_fail(error, CAM_E_MODEL, "%.60s: means of node \"%.40s\": %d are needed", path,
                    json_name(row), a->channels);
  int c = 0;
  for (const json *each = json_first(row); each; each = json_next(each), c++) {
    const double level = json_number(each);
    if (json_type_of(each) != JSON_NUMBER || !(level >= 0 && level <= MOST_LEVEL) ||
        level != floor(level))
      return cam_fail(error, CAM_E_MODEL,
                      "%.60s: means of node \"%.40s\": channel %d is not a whole number of 0 to %d",
                      path, json_name(row), c, MOST_LEVEL);
    a->levels[c] = (uint8_t)level;
  }
  a->known = true;
  return CAM_OK;
}

void averages_print(const averages *a, json *row) {
  for (int c = 0; c < a->channels; c++)
    json_add_int(row, NULL, a->levels[c]);
}
