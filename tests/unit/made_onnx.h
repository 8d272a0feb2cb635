/* made_onnx.h - ONNX files of a few nodes, made in memory from a text, for tests. */
#ifndef MADE_ONNX_H
#define MADE_ONNX_H
#include <stddef.h>
#include <stdint.h>

/* Bytes of protobuf. */
typedef struct made_bytes {
  uint8_t *at; /* for free() */
  size_t n, room;
} made_bytes;
void made_varint(made_bytes *to, uint64_t value);
void made_field(made_bytes *to, int field, const void *data, size_t n); /* of bytes */
void made_text(made_bytes *to, int field, const char *text);
void made_number(made_bytes *to, int field, uint64_t value);

/* A model of a line a node, "OUTPUT,... = Operator(input, ...) attribute=value ...". Inputs: names;
 * w:4x3x1x1 weights of that shape; i:1,-1 whole numbers (i:5; one number without sides); s:0.5 one
 * real number; _: not given. Values: 1 or 1,2 whole; .5 or 1,.5 real; a word; GRAPH. The
 * picture is "x", of `shape` ("1,3,16,16"; N is a free side), the output that of the last line. */
made_bytes made_onnx(int opset, const char *shape, const char *lines);

#endif
