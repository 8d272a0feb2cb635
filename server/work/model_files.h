/* model_files.h - which files the setting `model` means. Implemented in server/work/model_files.c.
 * Thread: any; touches only its arguments. */
#ifndef MODEL_FILES_H
#define MODEL_FILES_H
#include "cam_error.h"

enum { MODELS_MOST = 32 }; /* that are served at once */

typedef struct model_files {
  int n;
  char *paths[MODELS_MOST]; /* in the order of the setting; those of a folder by name */
} model_files;

/* Of "a.safetensors,folder": what is no folder is taken as a file, there or not; of a folder, the
 * files *.safetensors in it, but those whose names begin with a dot. CAM_E_IO: a folder cannot be
 * read; CAM_E_PARAMETER: there is no file, there are more than MODELS_MOST, or one is there
 * twice. *out needs
 * model_files_free whatever the code. */
cam_code model_files_find(const char *setting, model_files *out, cam_error *error);
void model_files_free(model_files *files);

#endif
