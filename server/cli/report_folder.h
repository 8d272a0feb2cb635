/* report_folder.h - a folder that is there as a whole or not at all: its files are written into
 * FOLDER.tmp, which then takes the name. Implemented in server/cli/report_folder.c. Thread: one at
 * a time. */
#ifndef REPORT_FOLDER_H
#define REPORT_FOLDER_H
#include "cam_error.h"
#include <stdbool.h>
#include <stdio.h>

typedef struct report_folder {
  char *path, *unfinished; /* where it will be, and until then */
  int descriptor;          /* of the latter, which is locked by it */
  bool begun;              /* it is there */
} report_folder;

/* The files that it may have: static storage, NULL ends the list. */
extern const char *const report_file_names[];

/* Makes FOLDER.tmp. force: what is there may be replaced, if it is a report or an empty folder.
 * CAM_E_IO: it cannot be made, or something is there; nothing has changed. Whatever the code, *out
 * needs report_folder_drop. */
cam_code report_folder_open(report_folder *out, const char *path, bool force, cam_error *error);
/* A file within it, to be written and closed by report_folder_close. NULL: error. */
FILE *report_folder_create(const report_folder *folder, const char *name, cam_error *error);
/* file may be NULL: then error says already why. CAM_E_IO: not all of it was written. */
cam_code report_folder_close(const report_folder *folder, FILE *file, cam_error *error);
/* Puts it into its place. */
cam_code report_folder_finish(report_folder *folder, cam_error *error);
/* What is not finished leaves nothing behind. One that is all zero is allowed. */
void report_folder_drop(report_folder *folder);

#endif
