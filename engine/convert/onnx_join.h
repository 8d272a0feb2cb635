/* onnx_join.h - a network as ONNX -> what a model file consists of. Flow: file -> onnx_file ->
 * onnx_import -> draft -> [onnx_join] -> convert -> model file. One thread at a time. */
#ifndef ONNX_JOIN_H
#define ONNX_JOIN_H
#include "cam_convert.h"
#include "draft.h"

/* How the other framework's numbers are told from ours. */
typedef struct onnx_facts {
  int height, width;
  bool last;                  /* its picture is [1,H,W,3] */
  draft_ending ending;        /* its output is the logits, or what this makes of them */
  double factor[3], shift[3]; /* what it does to the picture first, which "input" has taken over */
} onnx_facts;

/* The document without "self_test", and the tensors. say: lines for people. On failure *out is
 * empty. CAM_E_PARAMETER naming the option, CAM_E_WEIGHTS, CAM_E_IO, CAM_E_NO_MEMORY. */
cam_code onnx_join(const cam_convert_options *options, joined *out, onnx_facts *facts,
                   cam_error *error);

/* onnx_compare.c: the model file's logits, by the reference, for the input of
 * options->compare_input against options->compare_output: CAM_E_WEIGHTS if they differ by more than
 * 1e-3 of the largest. */
cam_code onnx_compare(const cam_convert_options *options, const char *path, const onnx_facts *facts,
                      cam_error *error);

#endif
