/* finetune_options.h - the flags of `camserve finetune` as values. Implemented in
 * server/cli/finetune_options.c. Thread: main. */
#ifndef FINETUNE_OPTIONS_H
#define FINETUNE_OPTIONS_H
#include "cam_train.h"
#include "cli.h"

/* Rows of its options in server/cli/main.c. */
enum {
  TUNE_OUTPUT,
  TUNE_STAGE,
  TUNE_KEEP_CLASSES,
  TUNE_VAL,
  TUNE_EPOCHS,
  TUNE_BATCH,
  TUNE_LR,
  TUNE_MOMENTUM,
  TUNE_SCHEDULE,
  TUNE_WEIGHT_DECAY,
  TUNE_KEEP_PROB,
  TUNE_AUGMENT,
  TUNE_BALANCE,
  TUNE_PATIENCE,
  TUNE_TIME,
  TUNE_SEED,
  TUNE_RESIZE,
  TUNE_MEMORY,
  TUNE_RESUME,
  TUNE_REPORT,
  TUNE_DRY_RUN,
  TUNE_JSON,
  TUNE_FORCE
};

typedef struct finetune_options {
  cam_tune_options tune; /* but model and checkpoint */
  double val_share;      /* 0: no photo is set aside */
  const char *val_data;  /* a folder or CSV of photos to validate with, or NULL */
} finetune_options;

/* CAM_E_PARAMETER naming the flag. */
cam_code finetune_options_read(const cli *arguments, finetune_options *out, cam_error *error);

#endif
