/* pixels.c - see pixels.h. */
#include "pixels.h"
#include <math.h>
#include <string.h>

/* Where the graph's channels 0 and 2 are in RGB. */
static void ends_of(const cam_graph *graph, int *first, int *last) {
  *first = 0;
  *last = 2;
  if (graph->bgr) {
    *first = 2;
    *last = 0;
  }
}

void pixels_normalize(const cam_graph *graph, const uint8_t *rgb, size_t cells, float *out) {
  int first, last;
  ends_of(graph, &first, &last);
  for (size_t i = 0; i < cells; i++, rgb += 3, out += 3) {
    out[0] = ((float)rgb[first] - graph->mean[0]) * graph->scale[0];
    out[1] = ((float)rgb[1] - graph->mean[1]) * graph->scale[1];
    out[2] = ((float)rgb[last] - graph->mean[2]) * graph->scale[2];
  }
}

/* In the graph's order of channels. */
static void order_levels(const cam_graph *graph, const uint8_t *rgb, size_t cells, uint8_t *out) {
  if (!graph->bgr) {
    memcpy(out, rgb, 3 * cells);
    return;
  }
  for (size_t i = 0; i < cells; i++, rgb += 3, out += 3) {
    out[0] = rgb[2];
    out[1] = rgb[1];
    out[2] = rgb[0];
  }
}

void pixels_see(const cam_graph *graph, const uint8_t *rgb, size_t cells, void *out) {
  if (graph->sees_bytes)
    order_levels(graph, rgb, cells, out);
  else
    pixels_normalize(graph, rgb, cells, out);
}

static uint8_t restore(const cam_graph *graph, int channel, float value) {
  const float level = value / graph->scale[channel] + graph->mean[channel];
  return (uint8_t)fminf(fmaxf(roundf(level), 0), 255);
}

void pixels_restore(const cam_graph *graph, const float *seen, size_t cells, uint8_t *rgb) {
  int first, last;
  ends_of(graph, &first, &last);
  for (size_t i = 0; i < cells; i++, rgb += 3, seen += 3) {
    rgb[first] = restore(graph, 0, seen[0]);
    rgb[1] = restore(graph, 1, seen[1]);
    rgb[last] = restore(graph, 2, seen[2]);
  }
}
