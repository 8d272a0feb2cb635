/* class_names.h - names of an imported network's classes: a file in any of the forms that people
 * keep them in, else the file's own metadata, else ImageNet's 1,000, else "class 0" ... Flow:
 * labels -> [class_names] -> "classes" of a model file. Any thread. */
#ifndef CLASS_NAMES_H
#define CLASS_NAMES_H
#include "cam_error.h"
#include "cam_json.h"

/* Adds "classes": [[WordNet id or "", label], ...] of n classes to the document. path (NULL
 * allowed): a label a line; WordNet id TAB label a line; a JSON list of labels or of [id, label]; a
 * JSON object {"0": either, ...}. text (NULL allowed): the same, from the network's metadata.
 * *source says which it was, for people. CAM_E_IO; CAM_E_WEIGHTS naming line or class, or that they
 * are not as many. */
cam_code class_names_add(json *document, int n, const char *path, const char *text,
                         const char **source, cam_error *error);

#endif
