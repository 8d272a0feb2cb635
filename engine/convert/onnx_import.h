/* onnx_import.h - the nodes of an ONNX file, one after the other, into a draft. Flow: onnx_file ->
 * [onnx_import] -> draft -> draft_simplify -> draft_write.
 * Batch 1 and the picture's height and width are fixed first, so each value is one of two things: a
 * constant, which is folded (an exporter's chains of shapes end there), or a view (view.h) of a
 * plane of the draft. Each operator is a row of a table (onnx_operator.h). One thread at a time. */
#ifndef ONNX_IMPORT_H
#define ONNX_IMPORT_H
#include "draft.h"
#include "onnx_file.h"

typedef struct onnx_input_size {
  int height, width; /* 0: the file's own, or 224 */
  bool last;         /* out: the picture is [1,H,W,3] */
} onnx_input_size;

/* Fixes the picture's size (into *size and the draft) and reads every node that the output needs.
 * CAM_E_WEIGHTS naming node, operator and attribute, and what would have to be built. */
cam_code onnx_import_graph(const onnx_file *file, onnx_input_size *size, draft *d,
                           cam_error *error);
/* Names of all operators that are read, with blanks between, for people; for free(). */
char *onnx_operator_list(void);

#endif
