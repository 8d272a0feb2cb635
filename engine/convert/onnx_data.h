/* onnx_data.h - the numbers of one ONNX tensor, wherever the file keeps them -> a constant. Flow:
 * onnx_file -> [onnx_data]. One thread at a time. */
#ifndef ONNX_DATA_H
#define ONNX_DATA_H
#include "constant.h"

static const size_t ONNX_MOST_EXTERNAL = (size_t)8 << 30; /* bytes of all external data */

/* A TensorProto, field by field. The numbers are borrowed. */
typedef struct onnx_data {
  const char *name; /* for errors */
  int type;         /* TensorProto.DataType */
  size_t rank;
  const int64_t *shape; /* [rank] */
  bool has_raw;
  const uint8_t *raw; /* [n_raw] little-endian */
  const float *floats;
  const int32_t *ints; /* also 8 and 16 bits, float16 as its bits */
  const int64_t *longs;
  const double *doubles;
  size_t n_raw, n_floats, n_ints, n_longs, n_doubles;
  const char *location;        /* NULL: here; else the name of a file in the folder of this one */
  const char *offset, *length; /* decimal; NULL: from its beginning, as long as the shape says */
} onnx_data;

/* path: the ONNX file; external: where external data goes. A type that no network's weights have
 * gives a constant without numbers. CAM_E_WEIGHTS, CAM_E_IO, CAM_E_NO_MEMORY naming the tensor. */
cam_code onnx_data_read(const onnx_data *data, const char *path, arena *memory, arena *external,
                        const constant **out, cam_error *error);

#endif
