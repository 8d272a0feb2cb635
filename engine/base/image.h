/* image.h - an 8-bit picture in memory. Implemented in engine/base/image.c. */
#ifndef IMAGE_H
#define IMAGE_H
#include <stdbool.h>
#include <stdint.h>

typedef struct cam_image {
  int width, height;
  uint8_t *rgb; /* [height,width,3], no gaps between rows; malloc; 4 readable bytes follow */
} cam_image;

/* Room for width x height pixels (both at least 1); false if there is no memory (image is then
 * empty). */
bool image_alloc(cam_image *image, int width, int height);
/* Turns a stored picture upright: undoes what EXIF orientation 1 to 8 says. False if there is no
 * memory (image is then as it was). */
bool image_turn(cam_image *image, int orientation);
void image_free(cam_image *image); /* leaves it empty; an empty one is allowed */

#endif
