/* v1.h - KServe's V1. Implemented in server/kserve/v1.c. Thread: worker. */
#ifndef V1_H
#define V1_H
#include "wire/protocol.h"

extern const protocol v1_predict, v1_explain; /* POST /v1/models/NAME:predict, :explain */

#endif
