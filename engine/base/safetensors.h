/* safetensors.h - the container format: 8-byte little-endian header length (at most 100 MB), JSON
 * header, raw little-endian tensors without gaps
 * (https://github.com/huggingface/safetensors#format). Reading copies the file into memory, so that
 * a file that changes later does no harm. */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H
#include "cam_error.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TENSOR_MAX_RANK = 8 };
typedef struct cam_tensor {
  const char *name;
  const char *dtype; /* "F32" ...; as in the file */
  int rank;
  int64_t shape[TENSOR_MAX_RANK];
  /* [shape]: the one of its dtype, if that is F32, I8 or I32; the others are NULL. */
  const float *data;
  const int8_t *bytes;
  const int32_t *wholes;
  size_t count; /* elements */
} cam_tensor;

typedef struct safetensors safetensors;
/* Checks length, header, every offset, gaps, overlaps, shape x dtype against bytes, duplicate
 * names. Errors: CAM_E_IO, CAM_E_MODEL naming the tensor. */
cam_code safetensors_read(const char *path, safetensors **out, cam_error *error);
void safetensors_free(safetensors *file);                                      /* NULL is allowed */
const cam_tensor *safetensors_find(const safetensors *file, const char *name); /* NULL if absent */
int safetensors_count(const safetensors *file);
const cam_tensor *safetensors_at(const safetensors *file, int index); /* in their data's order */
/* For a tensor whose data was copied elsewhere: its pointers become NULL, its pages go back to the
 * system. */
void safetensors_drop(safetensors *file, const cam_tensor *tensor);
const char *safetensors_metadata(const safetensors *file, const char *key); /* NULL if absent */
const char *safetensors_sha256(const safetensors *file); /* of the whole file, hexadecimal */

/* Writes a file with tensors of dtype F32 (or NULL), I8 or I32 in the order given (what they point
 * to is borrowed) and one metadata entry; header padded with spaces to 64 bytes. */
cam_code safetensors_write(FILE *out, const cam_tensor *tensors, int n, const char *metadata_key,
                           const char *metadata_text, cam_error *error);

#endif
