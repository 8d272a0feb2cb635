/* multipart.h - the parts of a complete multipart/form-data body (RFC 7578, RFC 2046), without a
 * copy. Implemented in server/wire/multipart.c. Why not the HTTP library's own reader: it streams,
 * so every photo would be copied once more; it takes the boundary to the end of the header, so
 * `boundary=abc; charset=x` yields no part without a word; and it cannot tell two empty parts from
 * one. Thread: any. */
#ifndef MULTIPART_H
#define MULTIPART_H
#include "cam_error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  MULTIPART_BOUNDARY = 70,
  MULTIPART_NAME = 64
}; /* characters: RFC 2046 section 5.1.1; a field's name */

typedef struct multipart {
  const uint8_t *at, *end;
  char delimiter[MULTIPART_BOUNDARY + 5]; /* CR LF - - boundary */
  size_t n_delimiter;
  int parts; /* given out so far */
} multipart;

typedef struct multipart_part {
  char name[MULTIPART_NAME + 1];
  const uint8_t *bytes; /* into the body */
  size_t n;
  bool of_file;  /* it has a filename */
  bool unchosen; /* a file input in which no file was chosen: filename="" and no bytes */
} multipart_part;

/* content_type: the header's whole value; its boundary may be quoted and other parameters may
 * follow. body must outlive the reading. */
cam_code multipart_open(multipart *reader, const char *content_type, const uint8_t *body, size_t n,
                        cam_error *error);
/* The next part; *more is false after the last. Work is linear in the body's length over all calls.
 */
cam_code multipart_next(multipart *reader, multipart_part *part, bool *more, cam_error *error);

#endif
