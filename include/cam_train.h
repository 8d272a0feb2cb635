/* cam_train.h - a model tuned to one's own classes, from photos that somebody else finds and reads.
 * Implemented in engine/train/. Method: the original's (loss, dropout, all layers) and, where
 * nothing but the last layer moves, L-BFGS on what goes into it.
 *
 * The order of calls: cam_tuner_create, cam_tuner_look, then the caller leaves out samples or gives
 * them their part, cam_tuner_fit, cam_tuner_write. What comes out depends on the photos, their
 * classes and parts and the options alone: not on threads, paths, or what was interrupted and went
 * on. Thread: one caller; the callbacks say theirs. */
#ifndef CAM_TRAIN_H
#define CAM_TRAIN_H
#include "cam_engine.h"

/* clang-format off */
/* What moves: the last layer; what follows the earliest cut of one tensor at the last plane's size;
 * everything. Epochs and rate where the caller gives none. */
#define CAM_TUNE_STAGES(X)                   \
  X(CAM_TUNE_HEAD, "head", 0,  0)            \
  X(CAM_TUNE_LAST, "last", 6,  0.005)        \
  X(CAM_TUNE_ALL,  "all",  6,  0.001)

/* How the rate goes over all steps: half a cosine, from all of it to nothing. */
#define CAM_TUNE_SCHEDULES(X)        \
  X(CAM_TUNE_CONSTANT, "constant")   \
  X(CAM_TUNE_COSINE,   "cosine")
/* clang-format on */

#define X(id, ...) id,
typedef enum cam_tune_stage { CAM_TUNE_STAGES(X) CAM_TUNE_STAGE_COUNT } cam_tune_stage;
typedef enum cam_tune_schedule { CAM_TUNE_SCHEDULES(X) CAM_TUNE_SCHEDULE_COUNT } cam_tune_schedule;
#undef X
const char *cam_tune_stage_name(cam_tune_stage stage); /* "head" */
const char *cam_tune_schedule_name(cam_tune_schedule schedule);

typedef struct cam_tune_options {
  const char *model; /* a model file: what is tuned */
  cam_tune_stage stage;
  bool keep_classes; /* the model's own classes and last layer, which are trained on; else new ones,
                        from a head that is fitted first */
  int epochs;        /* below 0: the stage's */
  int batch;
  double rate;         /* below 0: the stage's */
  double momentum;     /* 0 to less than 1 */
  double weight_decay; /* below 0: cam_tune_head_decay of a head, else cam_tune_weight_decay */
  double keep_prob;    /* above 0, up to 1: 1 is no dropout */
  cam_tune_schedule schedule;
  bool flip;      /* mirrored photos, too */
  bool balance;   /* classes count alike, however many photos they have */
  int patience;   /* epochs without a better one after which it ends; 0: all are done */
  double seconds; /* from cam_tuner_create on, after which it ends; a head is fitted even then;
                     0: any */
  uint64_t seed;
  cam_resize resize;      /* not CAM_RESIZE_OF_MODEL */
  size_t memory;          /* bytes of what is kept of photos; what has no room is computed again */
  int threads;            /* 1 to CAM_MAX_TEAM */
  cam_limits limits;      /* of each photo */
  const char *checkpoint; /* a file that is written after each epoch and removed by
                             cam_tuner_done; NULL: none */
  bool resume;            /* the checkpoint is gone on from, if it is there */
} cam_tune_options;
extern const double cam_tune_head_decay, cam_tune_weight_decay; /* 0.01, 0.0005 */
/* head, new classes, batches of 16, momentum 0.9, cosine, patience 3, seed 1, stretch, 1 GiB, the
 * default limits, one thread, no checkpoint */
extern const cam_tune_options cam_default_tune;

typedef struct cam_tune_sample {
  int class_id;    /* of the new classes, or of the model's own */
  bool is_val;     /* it is validated with, else trained on */
  char hash[65];   /* SHA-256 of the upright photo's pixels: cam_tuner_look */
  cam_error error; /* left out if there is a code: by cam_tuner_look or the caller */
} cam_tune_sample;

/* After an epoch; of a head after it is fitted, as epoch 0. Accuracies and val_loss are below 0
 * where there is nothing that they are of. */
typedef struct cam_tune_epoch {
  cam_tune_stage stage;
  int epoch, epochs;
  double loss, cross_entropy, weight_decay; /* mean over the batches, each before its step; the
                                               first is the sum of the others */
  double train_accuracy;                    /* of the same logits, dropout included */
  double val_accuracy, val_loss;            /* cross-entropy */
  double rate;                              /* of the last step */
  double seconds;                           /* since cam_tuner_fit began; a resumed run's own */
  int iterations;                           /* of L-BFGS, at epoch 0 */
  bool best;                                /* so far */
  bool resumed;                             /* told once more: it is of the run before */
} cam_tune_epoch;

typedef struct cam_tune_calls {
  void *closure;
  /* The photo of a sample; out->data is then freed by the engine. Any thread, several at once. */
  cam_code (*read)(void *closure, int sample, cam_bytes *out, cam_error *error);
  /* Whether to end as soon as possible; any thread. */
  bool (*stop)(void *closure);
  /* done of total photos looked at, or steps of an epoch taken; one thread at a time. */
  void (*progress)(void *closure, int done, int total);
  void (*epoch)(void *closure, const cam_tune_epoch *epoch);
} cam_tune_calls;

/* What became of it. */
typedef struct cam_tune_figures {
  int classes;
  cam_tune_stage kept; /* CAM_TUNE_HEAD where no epoch of another stage was better */
  int kept_epoch;      /* 0: what the stage began with */
  int epochs;          /* that were done */
  bool stopped;        /* by calls.stop or the time, before its end */
  bool patience_ended;
  bool was_int8;  /* the model is in 8 bits, and so is what is written; accuracies, loss and
                     temperature are those of the same network in float32 */
  int train, val; /* photos */
  double train_accuracy, val_accuracy, val_loss; /* of what is kept; below 0: none */
  double start_accuracy;                         /* on validation, of what the stage began with */
  double temperature; /* what logits are divided by for probabilities that hold on the validation
                         photos; 0: there are none */
} cam_tune_figures;

typedef struct cam_tuner cam_tuner;
/* Loads the model and checks what of it can be trained. names [n_classes]: of the new classes, or
 * NULL with keep_classes. samples [n] are the caller's and must outlive it. CAM_E_PARAMETER naming
 * the option; CAM_E_MODEL naming node and operator that cannot be trained. */
cam_code cam_tuner_create(const cam_tune_options *options, int n_classes, char *const *names,
                          cam_tune_sample *samples, int n, const cam_tune_calls *calls,
                          cam_tuner **out, cam_error *error);
void cam_tuner_free(cam_tuner *tuner); /* NULL is allowed */

/* Decodes every sample's photo, all threads side by side: hash or error, and keeps what training
 * needs of it; passes false: the network is not run (a dry run). CAM_E_NO_MEMORY. Ends early
 * where calls.stop says so: the rest has CAM_E_DEADLINE. */
cam_code cam_tuner_look(cam_tuner *tuner, bool passes, cam_error *error);
/* Seconds that all will take, or what is left of it once the photos are looked at, by what the
 * network takes for one of them; 0: none could be read. */
double cam_tuner_estimate(cam_tuner *tuner, int n_train, int n_val, bool looked);
/* Trains. CAM_E_PARAMETER: fewer than two classes have photos to train on, or the numbers grow out
 * of bounds (the rate is too large); CAM_E_IO, CAM_E_MODEL: the checkpoint, or a photo that cannot
 * be read any more; CAM_E_NO_MEMORY; CAM_E_DEADLINE: calls.stop came before there was anything to
 * keep. */
cam_code cam_tuner_fit(cam_tuner *tuner, cam_error *error);
/* How many of the validation photos a head gets right that is fitted to `per_class` photos of each
 * class alone (or as many as it has): what more photos would bring. False: there is no head to fit,
 * nothing to validate with, or no class has more photos. */
bool cam_tuner_try_fewer(cam_tuner *tuner, int per_class, int *right);
const cam_tune_figures *cam_tuner_get_figures(const cam_tuner *tuner);
/* Writes a model file, whole or not at all, which cam_model_load takes; its name is that of the
 * file without folder and ending. No times and no paths are in it. Of a model in 8 bits it is in 8
 * bits: up to 40 of the photos trained on are read again. CAM_E_IO, CAM_E_MODEL, CAM_E_NO_MEMORY;
 * CAM_E_PARAMETER: none of them can be. */
cam_code cam_tuner_write(cam_tuner *tuner, const char *path, cam_error *error);
/* After the samples have their parts: whether the model file at path was written by a tuner of the
 * same options, photos, classes and parts; *complete: and was not stopped before its end. */
bool cam_tuner_is_written(cam_tuner *tuner, const char *path, bool *complete);
/* Removes the checkpoint. */
void cam_tuner_done(cam_tuner *tuner);

#endif
