/* ranges.h - what values each node of a network gives, as photos showed it: from the least to the
 * most. As a file: {"model": NAME, "layers": IDENTITY, "photos": N, "ranges": {NODE: [least, most],
 * ...}}, all nodes before the head; the model's name is for people; and, which may be left out,
 * "means": {NODE: [level, ...], ...} (averages.h). Flow: calibrate, or a file -> [ranges] ->
 * quantize. One thread at a time. */
#ifndef RANGES_H
#define RANGES_H
#include "averages.h"

typedef struct ranges {
  int n;             /* nodes before the head */
  float (*ends)[2];  /* [n]: least and most; least above most: nothing has been seen */
  int photos;        /* that were seen */
  float (*photo)[2]; /* [n]: of the photo that is being seen */
  double (*sums)[2]; /* [n]: of the photos' ends */
  averages *means;   /* [n] */
} ranges;

/* Empty ones. Needs ranges_free whatever the code. CAM_E_NO_MEMORY. */
cam_code ranges_create(const cam_graph *graph, ranges *out, cam_error *error);
void ranges_free(ranges *r);
/* n values, `stride` apart and `channels` each, of a node: of one photo. */
void ranges_widen(ranges *r, int node, const float *values, int n, int channels, int stride);
/* The photo is over. */
void ranges_end_photo(ranges *r);
/* When all photos have been seen: the ends go half the way from the outermost to the average
 * photo's. A single value far off then takes fewer levels from all others, which is the smaller
 * error (measured: a quarter less on MobileNetV2). What the head reads keeps its ends: its largest
 * values are what labels and maps are made of. */
void ranges_settle(const cam_graph *graph, ranges *r);

/* Where the ranges of a model file that is written are kept: its path without .safetensors, and
 * .ranges.json. CAM_E_IO: there is no room for it. */
cam_code ranges_path(const char *model, char *out, size_t room, cam_error *error);
/* Into what ranges_create made: of the file the ranges and means. CAM_E_MODEL naming the file: it
 * says that it is of other layers (identity.h); and the node: it is missing, unknown, its ends are
 * not a pair within what scales may be, or its means are not levels, one a channel. CAM_E_IO,
 * CAM_E_NO_MEMORY. */
cam_code ranges_read(const char *path, const cam_graph *graph, ranges *out, cam_error *error);
/* CAM_E_IO, CAM_E_NO_MEMORY. */
cam_code ranges_write(const char *path, const cam_graph *graph, const ranges *r, cam_error *error);

#endif
