/* trainer_cut.c - what is before a cut, computed once a photo: the part of trainer.h that needs no
 * trainer. */
#include "each_sample.h"
#include "network/blas.h"
#include "network/cut.h"
#include "trainer.h"
#include <stdlib.h>
#include <string.h>

int trainer_cut(const cam_graph *graph) { return cut_at_last_size(graph); }

static cam_code no_planes(const cam_graph *graph, cam_error *error) {
  return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the planes of %s", graph->name);
}

cam_code trainer_cut_shape(const cam_graph *graph, int cut, int height, int width, int out[2],
                           int *channels, cam_error *error) {
  out[0] = height;
  out[1] = width;
  *channels = cut_channels(graph, cut);
  if (cut == GRAPH_INPUT)
    return CAM_OK;
  int(*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape);
  if (!shape)
    return no_planes(graph, error);
  const cam_code code = graph_shapes(graph, height, width, shape, error);
  memcpy(out, shape[cut], sizeof shape[cut]);
  free(shape);
  return code;
}

/* The arena and blas are there while the samples run. */
static cam_code run_front(each_sample *each, cam_team *team, const cam_graph *graph,
                          cam_error *error) {
  enum { LINE = 64 };
  const int threads = team_threads(team);
  const size_t bytes = (size_t)threads * tape_floats(each->way) * sizeof(float);
  cam_code code = blas_reserve(threads, error);
  if (code)
    return code;
  each->arena = aligned_alloc(LINE, (bytes + LINE - 1) / LINE * LINE);
  if (each->arena)
    each_sample_run(each, team);
  else
    code = no_planes(graph, error);
  free(each->arena);
  blas_release(threads);
  return code;
}

cam_code trainer_cut_planes(const cam_graph *graph, int cut, cam_team *team,
                            const train_batch *pictures, float *const *planes, cam_error *error) {
  const tape_part part = {graph, NULL, GRAPH_INPUT, cut, false, false};
  const int height = pictures->height, width = pictures->width;
  int size[2], channels;
  cam_code code = cut_check(graph, cut, error);
  if (!code)
    code = trainer_cut_shape(graph, cut, height, width, size, &channels, error);
  if (code)
    return code;
  each_sample each = {.n = pictures->n,
                      .from = pictures->planes,
                      .to = planes,
                      .in = (size_t)height * (size_t)width * 3,
                      .out = (size_t)size[0] * (size_t)size[1] * (size_t)channels};
  for (int i = 0; i < each.n && cut == GRAPH_INPUT; i++)
    memcpy(planes[i], each.from[i], each.in * sizeof(float));
  if (cut == GRAPH_INPUT)
    return CAM_OK;
  tape *way = NULL;
  code = tape_create(&part, height, width, 1, &way, error);
  each.way = way;
  if (!code)
    code = run_front(&each, team, graph, error);
  tape_free(way);
  return code;
}
