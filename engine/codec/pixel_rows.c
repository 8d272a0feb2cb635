/* pixel_rows.c - pixel_rows.h.   Flow: overlay -> [rows] -> png | jpeg.   Thread: any. */
#include "pixel_rows.h"

pixel_rows pixel_rows_of(const uint8_t *pixels, int width, int height, int channels) {
  return (pixel_rows){.width = width, .height = height, .channels = channels, .pixels = pixels};
}

size_t pixel_row_bytes(const pixel_rows *rows) {
  return (size_t)rows->width * (size_t)rows->channels;
}

const uint8_t *pixel_row(const pixel_rows *rows, int y, uint8_t *room) {
  if (rows->pixels)
    return rows->pixels + pixel_row_bytes(rows) * (size_t)y;
  rows->make(rows->closure, y, room);
  return room;
}
