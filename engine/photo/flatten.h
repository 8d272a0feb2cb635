/* flatten.h - transparent pixels over white. Implemented in engine/photo/flatten.c. */
#ifndef FLATTEN_H
#define FLATTEN_H
#include "base/image.h"

/* RGBA of width x height, from malloc, becomes *image: composed over white in its own place, and
 * the room that is left over given back. */
void flatten(uint8_t *pixels, int width, int height, cam_image *image);
/* Gives back the room that pixels had when they were four bytes. */
void trim_room(cam_image *image);

#endif
