/* photo_input.h - the bytes of a photo -> what training sees of it: the picture of the network's
 * size, as the service would make it, and a hash that tells the same photo again. Flow: bytes ->
 * [photo_input] -> cut_model. Thread: any; touches only its arguments. */
#ifndef PHOTO_INPUT_H
#define PHOTO_INPUT_H
#include "base/image.h"
#include "network/graph.h"

/* out: 8-bit RGB, for image_free; empty unless CAM_OK. hash (NULL allowed): SHA-256, hexadecimal,
 * of the upright photo's size and of its pixels as they are decoded, whatever file they came in (a
 * large JPEG is decoded at half its size or less, as explain does). Errors are those of
 * photo_decode. */
cam_code photo_input(const cam_graph *graph, const cam_limits *limits, cam_resize resize,
                     const uint8_t *bytes, size_t n, cam_image *out, char hash[65],
                     cam_error *error);
/* Left becomes right, in place. */
void photo_input_mirror(cam_image *picture);

#endif
