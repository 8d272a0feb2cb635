/* report_figures.h - answers for photos whose classes are known -> figures. Implemented in
 * server/cli/report_figures.c (counting) and report_sureness.c (how sure the model may be). Knows
 * no file. Thread: any. */
#ifndef REPORT_FIGURES_H
#define REPORT_FIGURES_H
#include "cam_engine.h"

/* ---- what is known of each photo ---- */

typedef struct report_photo {
  const char *path;            /* borrowed */
  int class_id;                /* what it is; classes are the model's */
  cam_error error;             /* why it could not be read; CAM_OK: it could, and */
  int given;                   /* is what the model says */
  int rank;                    /* of class_id; 1: the model is right */
  float probability, of_class; /* of given and of class_id */
} report_photo;

typedef struct report_answers {
  int n;
  report_photo *photos; /* [n] */
  int n_read, classes;
  float *logits; /* [n_read,classes] logarithms of the probabilities, of those that could be read */
  int *labels;   /* [n_read] their class_id */
} report_answers;

/* ---- figures ---- */

/* `right` of `of`, and where the share of all such photos lies with a probability of 95 %: Wilson,
 * J. Am. Stat. Assoc. 22, 1927. Of none: 0 to 1. */
typedef struct report_share {
  int right, of;
  double low, high;
} report_share;
report_share report_share_of(int right, int of);
double report_share_value(const report_share *share); /* of none: 0 */

typedef struct report_class {
  int class_id;
  report_share recall;    /* of its photos */
  report_share precision; /* of the photos that it is given to */
} report_class;

/* Photos of a class that another one is given to. */
typedef struct report_pair {
  int class_id, given, photos;
} report_pair;

enum { REPORT_BINS = 10, REPORT_COVERS = 20, REPORT_TARGETS = 3, REPORT_TOP = 5 };

/* Photos that the model is about as sure of. */
typedef struct report_bin {
  int photos, right;
  double probability; /* mean */
} report_bin;

/* How true the probabilities are. */
typedef struct report_calibration {
  double temperature;   /* 1: as the model says them */
  double error;         /* expected calibration error: mean over photos of |right - probability|,
                           both of the bin */
  double cross_entropy; /* mean; of softmax */
  report_bin bins[REPORT_BINS]; /* of probabilities from 0 to 1 */
} report_calibration;

/* The `photos` that the model is surest of. */
typedef struct report_cover {
  int photos;
  float least; /* probability among them */
  report_share right;
} report_cover;

typedef struct report_figures {
  report_share accuracy;
  report_share top;     /* the class is among the REPORT_TOP likeliest */
  report_share largest; /* had each photo been given the largest class */
  int largest_class;
  double mean_recall;    /* over classes that have photos */
  int n_classes;         /* that have photos, or were given to one */
  report_class *classes; /* [n_classes] in the model's order */
  int n_pairs;
  report_pair *pairs; /* [n_pairs] the most frequent first */
  report_calibration said;
  bool fitted;                /* a temperature could be told (cam_temperature.h) */
  report_calibration at_best; /* temperature: of all photos; the rest: each half of the photos with
                                 the temperature of the other half */
  bool stored;                /* the model's file has one */
  report_calibration at_stored;
  int n_covers;
  report_cover covers[REPORT_COVERS];   /* [n_covers] from few photos to all */
  report_cover targets[REPORT_TARGETS]; /* as many photos as can be answered so that that share of
                                           them is right; 0 photos: none */
} report_figures;
extern const double report_targets[REPORT_TARGETS];

/* False: no memory. *out needs report_figures_free whatever it is. At least one photo was read. */
bool report_figures_make(const report_answers *answers, const cam_model_info *model,
                         report_figures *out);
/* Whether the temperature in the model's file is the one that these photos have: then they were
 * what it was fitted to, and at_best tells what it is worth. */
bool report_fitted_to_these(const report_figures *figures);
void report_figures_free(report_figures *figures);

/* Of report_figures_make: calibration, covers and targets. False: no memory. */
bool report_sureness(const report_answers *answers, const cam_model_info *model,
                     report_figures *out);

#endif
