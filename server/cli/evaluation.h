/* evaluation.h - labelled photos -> what a model says of each. `camserve evaluate` and `camserve
 * finetune` ask here. Flow: photoset.h -> [evaluation] -> report.h. Implemented in
 * server/cli/evaluation.c. Thread: main, and the context's. */
#ifndef EVALUATION_H
#define EVALUATION_H
#include "photoset.h"
#include "report.h"

typedef struct evaluation_terms {
  cam_context *context;
  int threads;       /* of it */
  size_t max_bytes;  /* of a photo's file */
  cam_params params; /* resize; the rest is the evaluation's own */
  bool both;         /* of a model of two classes: the maps of both are asked for */
  bool silent;       /* no photo that cannot be read is said on standard error */
} evaluation_terms;

/* Takes the photos of a part (PART_COUNT: all) into *out, whose paths are borrowed from the set;
 * class_index is the model's class. CAM_E_NO_MEMORY. *out needs report_answers_free whatever the
 * code. */
cam_code report_answers_take(report_answers *out, const photoset *set, photo_part part,
                             const cam_model_info *model, cam_error *error);
void report_answers_free(report_answers *answers);

/* Asks the model about each photo of about->answers and fills in the rest; about->mirrored, too.
 * What cannot be read is said and skipped. CAM_E_NO_MEMORY; CAM_E_DEADLINE: a signal came
 * (interrupt.h); CAM_E_NOT_FOUND: no photo could be read. */
cam_code evaluate_photos(const evaluation_terms *terms, report *about, cam_error *error);

/* Terms for a model with its context; silent is false. */
evaluation_terms evaluation_terms_of(const cam_model_info *model, cam_context *context, int threads,
                                     size_t max_bytes);

/* One photo on its way. */
typedef struct evaluated_photo {
  int index; /* of the answers */
  cam_bytes bytes;
  cam_params params;
  cam_task task; /* its first label, and its class's */
} evaluated_photo;

/* Reads and explains a photo, with the maps of its first label and of its own class. photo needs
 * evaluated_photo_free whatever task.error is. Thread: any, each with a context of its own. */
void evaluated_photo_make(const evaluation_terms *terms, const report_photo *asked,
                          unsigned include, cam_context *context, evaluated_photo *photo);
void evaluated_photo_free(evaluated_photo *photo);

#endif
