/* pixel_rows.h - a picture as rows, for those who write one as a file: pixels that lie in memory,
 * or rows made when their turn comes. Implemented in engine/codec/pixel_rows.c. Thread: any;
 * touches only its arguments. */
#ifndef PIXEL_ROWS_H
#define PIXEL_ROWS_H
#include <stddef.h>
#include <stdint.h>

typedef struct pixel_rows {
  int width, height, channels; /* 1 (grey) or 3 (RGB); sides at least 1 */
  const uint8_t *pixels;       /* [height,width,channels]; NULL: made */
  /* Writes row y [width,channels]. A writer of files asks once for each, from the top down. */
  void (*make)(void *closure, int y, uint8_t *row);
  void *closure;
} pixel_rows;

pixel_rows pixel_rows_of(const uint8_t *pixels, int width, int height, int channels);
size_t pixel_row_bytes(const pixel_rows *rows);
/* Row y: in the pixels, or made in `room` [width,channels]. */
const uint8_t *pixel_row(const pixel_rows *rows, int y, uint8_t *room);

#endif
