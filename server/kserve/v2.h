/* v2.h - KServe's V2, the Open Inference Protocol. Implemented in server/kserve/v2.c. Thread:
 * worker.
 */
#ifndef V2_H
#define V2_H
#include "wire/protocol.h"

extern const protocol v2_infer; /* POST /v2/models/NAME/infer */

#endif
