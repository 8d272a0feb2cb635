/* seen.c - cam_show_input: the way of a photo up to the network's first number, for people who look
 * for wrong pixels. Flow: bytes -> decode -> resize -> normalised -> figures, and a picture made of
 * the normalised numbers. Thread: one worker a context. */
#include "cam_engine.h"
#include "context.h"
#include "model/pixels.h"
#include "model/sizes.h"
#include "photo/decode.h"
#include "photo/resize.h"
#include "render/picture.h"
#include <math.h>
#include <stdlib.h>

/* Figures of values [cells,3]. */
static void measure_channels(const cam_graph *graph, const float *values, size_t cells,
                             cam_seen *out) {
  const char *letters = graph->bgr ? "BGR" : "RGB";
  for (int c = 0; c < 3; c++) {
    cam_seen_channel *channel = &out->channels[c];
    double sum = 0;
    *channel = (cam_seen_channel){.letter = letters[c],
                                  .mean = graph->mean[c],
                                  .scale = graph->scale[c],
                                  .least = values[c],
                                  .most = values[c]};
    for (size_t i = 0; i < cells; i++) {
      const float value = values[3 * i + (size_t)c];
      channel->least = fminf(channel->least, value);
      channel->most = fmaxf(channel->most, value);
      sum += (double)value;
    }
    channel->average = (float)(sum / (double)cells);
  }
}

/* The picture's pixels become those that the normalised numbers stand for. */
static cam_code look(const cam_graph *graph, cam_image *input, cam_seen *out, cam_error *error) {
  const size_t cells = (size_t)input->width * (size_t)input->height;
  float *values = malloc(3 * cells * sizeof *values);
  if (!values)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu pixels", cells);
  pixels_normalize(graph, input->rgb, cells, values);
  measure_channels(graph, values, cells, out);
  pixels_restore(graph, values, cells, input->rgb);
  free(values);
  const pixel_rows rows = pixel_rows_of(input->rgb, input->width, input->height, 3);
  return picture_encode(CAM_PICTURE_PNG, &rows, &out->picture, error);
}

cam_code cam_show_input(const cam_context *context, const cam_task *task, cam_seen *out,
                        cam_error *error) {
  const cam_graph *graph = context->model->graph;
  cam_photo photo;
  cam_image input = {0};
  cam_result sizes = {0};
  *out = (cam_seen){0};
  cam_code code = photo_probe(task->bytes, task->n_bytes, &context->limits, &photo, error);
  if (code)
    return code;
  int least_width, least_height;
  set_sizes(graph, &photo, task->params, &sizes);
  least_size(&sizes, &least_width, &least_height);
  code = photo_decode(task->bytes, task->n_bytes, &context->limits, least_width, least_height,
                      &photo, error);
  if (code)
    return code;
  code = resize_bicubic(&photo.image, sizes.input_width, sizes.input_height, &input, error);
  image_free(&photo.image);
  if (!code)
    code = look(graph, &input, out, error);
  image_free(&input);
  return code;
}
