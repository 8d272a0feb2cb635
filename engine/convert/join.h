/* join.h - an architecture and weights -> what a model file consists of. Flow: architecture,
 * weights -> [join] -> convert -> model file. Batch norms are folded into the convolutions before
 * them, tensors get the engine's layouts. One thread at a time. */
#ifndef JOIN_H
#define JOIN_H
#include "base/safetensors.h"
#include "cam_json.h"
#include "weights.h"

typedef struct joined {
  json *document; /* the text under "camserve" of the model file (engine/network/graph.h), without
                     "self_test" */
  int n_tensors;
  cam_tensor *tensors; /* [n_tensors] "NODE.weight", "NODE.bias"; names and data are owned */
  size_t bytes;        /* of all tensors */
  int batch_norms;     /* folded */
} joined;

/* architecture: the parsed config/models/NAME.json; labels_folder: where "classes": "NAME" finds
 * NAME.tsv. Marks the weights that are used. CAM_E_MODEL naming the architecture's node or member,
 * CAM_E_WEIGHTS naming the tensor, CAM_E_IO. On failure *out is empty. */
cam_code join_weights(const json *architecture, const char *labels_folder, weights *all,
                      joined *out, cam_error *error);
void joined_free(joined *all); /* leaves it empty */
/* True if a shell pattern of the architecture's "ignore" matches the name of a tensor. */
bool join_ignores(const json *architecture, const char *tensor);

#endif
