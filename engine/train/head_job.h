/* head_job.h - which photos a head is fitted to, and how it does on others. Flow: photos,
 * tuned_graph
 * -> [head_job] -> head_fit -> tuner. Thread: one caller; the team of samples shares each call. */
#ifndef HEAD_JOB_H
#define HEAD_JOB_H
#include "head_fit.h"
#include "tuned_graph.h"

typedef struct head_job {
  const tuned_graph *tuned;
  samples *from;
  const cam_tune_sample *list;
  bool balance; /* classes count alike */
  double decay;
  const train_end *end;
} head_job;

/* On photos that are not trained on; below 0: there are none. */
typedef struct head_figures {
  double accuracy, loss, temperature;
} head_figures;

/* Fits the last fc to the photos of a part, as they are and, with two views, mirrored: from 0 where
 * it is new, else from the model's own. out->weight is for free() whatever the code. Errors are
 * those of head_fit. */
cam_code head_job_fit(const head_job *job, const sample_part *part, int views, head_result *out,
                      cam_error *error);
/* *out is filled whatever the code. */
cam_code head_job_validate(const head_job *job, const sample_part *part, const float *weight,
                           head_figures *out, cam_error *error);
/* At most per_class photos of each class, of members that are sorted by it; out->members is for
 * free(). False: there are no more than these, or no memory. */
bool head_job_take_fewer(const head_job *job, const sample_part *part, int per_class,
                         sample_part *out);

#endif
