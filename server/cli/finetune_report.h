/* finetune_report.h - the report of `camserve finetune`: the model that was written, asked about
 * the photos that it was validated with. Implemented in server/cli/finetune_report.c. Thread: main,
 * and the context's. */
#ifndef FINETUNE_REPORT_H
#define FINETUNE_REPORT_H
#include "base/config.h"
#include "photoset.h"
#include "report_page.h"

typedef struct finetune_report {
  const config *settings;
  const char *data;  /* what the photos are called */
  const char *model; /* the file that was written */
  cam_resize resize;
  report_folder folder; /* begun before training, so that it can be written */
  report_epoch *epochs; /* [n_epochs] */
  int n_epochs;
  report_size *sizes; /* [n_sizes] */
  int n_sizes;
} finetune_report;

/* One more epoch or size. False: no memory. */
bool finetune_report_add_epoch(finetune_report *to, const report_epoch *epoch);
bool finetune_report_add_size(finetune_report *to, const report_size *size);
/* Asks the model about the photos of PART_VAL, of which there is one at least, writes the report
 * and says its figures on out. Errors are those of cli_load and report_make. */
cam_code finetune_report_write(finetune_report *from, const photoset *set, FILE *out,
                               cam_error *error);
void finetune_report_drop(finetune_report *from);

#endif
