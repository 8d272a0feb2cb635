/* model_file.h - a model file is written: under another name first, so that it is whole or not
 * there. Flow: document, tensors -> [model_file] -> model file. Thread: one at a time. */
#ifndef MODEL_FILE_H
#define MODEL_FILE_H
#include "base/safetensors.h"
#include "cam_json.h"
#include "oracle.h"

/* document: the text under "camserve" (docs/models.md, "The file"). to_disk: and waits until the
 * disk has it. CAM_E_IO, CAM_E_NO_MEMORY. */
cam_code model_file_put(const char *path, const json *document, const cam_tensor *tensors, int n,
                        bool to_disk, cam_error *error);
/* Gives the file its name, and makes sure that the name survives a power failure. CAM_E_IO. */
cam_code model_file_rename(const char *from, const char *to, cam_error *error);
/* After oracle_run on the made picture: adds "self_test": {"logits": [[class, logit], ...]}, the
 * largest in order. CAM_E_WEIGHTS: a logit is not finite. o->logits are gone then. */
cam_code model_file_add_self_test(json *document, oracle *o, cam_error *error);

#endif
