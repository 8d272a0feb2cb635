/* v2_outputs.h - the tensors that V2 answers with, a table: n photos by k labels. Implemented in
 * server/kserve/v2_outputs.c. Thread: worker, for replies; any, for the rest. */
#ifndef V2_OUTPUTS_H
#define V2_OUTPUTS_H
#include "cam_json.h"
#include "wire/protocol.h"

#define V2_VERSION "1" /* of every model: there is one of each name */
#define V2_INPUT "image"

typedef enum v2_output {
  V2_CLASS_ID,
  V2_LABEL,
  V2_PROBABILITY,
  V2_BOX,
  V2_OVERLAY,
  V2_OUTPUT_COUNT
} v2_output;
enum { V2_ALL = (1 << V2_OUTPUT_COUNT) - 1 };

/* Which outputs a request wants, bit 1 << v2_output for each. From malloc. */
typedef struct v2_asked {
  unsigned outputs;
  unsigned binary; /* of them: as bytes behind the JSON */
  char id[];       /* "": the request has none */
} v2_asked;

/* By its name; V2_OUTPUT_COUNT: there is none. */
v2_output v2_output_find(const char *name);
/* "inputs" and "outputs" of a model's metadata; -1 is any number. */
void v2_add_tensors(json *model);
/* What facts->asked, a v2_asked, wants. False: no memory. */
bool v2_reply(const protocol_facts *facts, protocol_reply *out);

#endif
