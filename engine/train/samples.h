/* samples.h - what training asks of its photos: the input of the last fc, the plane at a cut, or
 * pixels. It is kept where it finds room, else computed again from the photo: the numbers are the
 * same. Flow: photos -> photo_input, cut_model -> [samples] -> head_fit, epochs. Thread: one
 * caller; the team shares each call. */
#ifndef SAMPLES_H
#define SAMPLES_H
#include "base/team.h"
#include "cam_train.h"
#include "network/graph.h"

/* The kinds of what is asked for. */
typedef enum sample_kind {
  SAMPLE_FEATURES, /* [channels] */
  SAMPLE_PLANE,    /* [height,width,channels] of the cut */
  SAMPLE_PICTURE,  /* [height,width,3] as the network sees it; kept as pixels */
  SAMPLE_KINDS
} sample_kind;

/* A photo, and whether it is mirrored. */
typedef struct sample_view {
  int sample;
  bool mirrored;
} sample_view;

/* A part of the photos. */
typedef struct sample_part {
  int n;
  int *members; /* [n] rows of the list, in an order that no path has to do with */
} sample_part;

typedef struct samples samples;

/* What will be asked for; nodes of the graph, -1: not that kind. All is borrowed. */
typedef struct samples_plan {
  const cam_graph *graph;
  const cam_tune_options *options;
  const cam_tune_calls *calls;
  cam_tune_sample *list; /* [n] */
  int n;
  int features_node, plane_node;
  bool pictures;
} samples_plan;

/* *out is for samples_free whatever the code. CAM_E_MODEL, CAM_E_NO_MEMORY. */
cam_code samples_create(const samples_plan *plan, cam_team *team, samples **out, cam_error *error);
void samples_free(samples *s); /* NULL is allowed */

/* Reads and decodes all photos once: hash or error of each; passes: and what will be asked for, as
 * far as there is room. A photo that fails is no error of the call. CAM_E_NO_MEMORY. */
cam_code samples_look(samples *s, bool passes, cam_error *error);
/* Seconds of one photo on one thread: of the whole network, and of what comes before it. 0: no
 * photo can be read. */
void samples_time(samples *s, double *pass, double *decode);

/* Height and width of what a sample gives; after samples_look. */
const int *samples_shape(const samples *s, int sample, sample_kind kind);
int samples_channels(const samples *s, sample_kind kind);
/* out[i]: as much as the kind and the sample's shape say. CAM_E_IO: a photo cannot be read any
 * more, or is another one than it was; CAM_E_DEADLINE: calls.stop; CAM_E_NO_MEMORY. */
cam_code samples_get(samples *s, sample_kind kind, int n, const sample_view *views,
                     float *const *out, cam_error *error);

#endif
