/* kserve.h - what KServe's clients and controllers speak, over HTTP: its V1 protocol
 * (https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol) and V2, the
 * Open Inference Protocol (https://github.com/kserve/open-inference-protocol). This room only
 * translates: bodies into photos and parameters, finished tasks into replies, errors into
 * {"error": "..."}. Thread: worker, for what has to do with photos; any, for the rest. */
#ifndef KSERVE_H
#define KSERVE_H
#include "wire/protocol.h"

enum { KSERVE_NAME_MAX = 96 };

/* What is spoken at a path: of /v1/models/NAME:predict and :explain, of /v2/models/NAME/infer; at
 * all other paths of theirs, there or not, only how errors are written. NULL: not KServe's. */
const protocol *kserve_protocol(const char *path);
/* The model in such a path; of V2 its one version may stand behind it, /versions/1. False: it names
 * none. */
bool kserve_model_of(const char *path, char name[KSERVE_NAME_MAX]);

/* Bodies of GET, for free(); NULL: no memory. Of /v2; of /v2/models/NAME; of
 * /v2/models/NAME/ready, where it is. */
char *kserve_server_text(size_t *n);
char *kserve_model_text(const cam_model_info *model, size_t *n);
char *kserve_ready_text(const cam_model_info *model, size_t *n);

#endif
