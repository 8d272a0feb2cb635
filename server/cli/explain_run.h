/* explain_run.h - all photos of a call of `camserve explain`: found, explained side by side, said
 * in the order of finding. Implemented in server/cli/explain_run.c. Thread: main, and the
 * context's. */
#ifndef EXPLAIN_RUN_H
#define EXPLAIN_RUN_H
#include "explain_photo.h"
#include "gallery.h"
#include "line_file.h"
#include "progress.h"
#include "wire/reply.h"
#include <stdatomic.h>
#include <stdio.h>

typedef struct explain_run {
  explain_terms terms;
  FILE *table;             /* where people read; the overlay may take standard output */
  bool resume, keep_going; /* the flags */
  int threads;             /* of the context */
  const char *list;        /* --paths-from, or NULL */
  atomic_bool stopped;
  /* where they come from: one thread at a time takes */
  photo_source source; /* open */
  cam_error source_error;
  name_set there;           /* names of the lines that there are */
  int64_t n_there, skipped; /* lines that there are; photos that had one */
  name_set pictures;        /* that are taken, each alone and with its photo */
  /* where they go: one thread at a time says */
  line_file lines; /* open, for FORM_LINE */
  gallery gallery; /* begun, for FORM_GALLERY */
  cam_error output_error;
  int output_errno;
  struct progress progress;    /* begun */
  reply_timing timing;         /* sums over all photos; in the end of the clock's time */
  int64_t said, failed, files; /* files: those that are no folder without photos */
} explain_run;

/* Until there are no more, a signal came (interrupt.h) or what is said cannot be written, which the
 * two errors tell. */
void explain_run_all(explain_run *run, cam_context *context);

#endif
