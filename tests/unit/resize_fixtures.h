/* resize_fixtures.h - FNV-1a of what Pillow's BICUBIC makes of made pictures; written by
 * tests/reference/make_photo_fixtures.py; do not edit. */
static const struct {
  int width, height, to_width, to_height;
  uint64_t hash;
} resize_fixtures[] = {
    {1, 1, 1, 1, 0x1c283d19b380915f},         {1, 1, 5, 3, 0x8a35979a02c77d7b},
    {7, 5, 4, 9, 0xd8bfb4f30a03d6af},         {5, 7, 5, 3, 0x765de11c9aa9f226},
    {5, 7, 3, 7, 0xf00f32b360992ef6},         {5, 7, 5, 7, 0x005f2feae0203422},
    {2, 2, 1, 1, 0x1f9e561a46592c94},         {3, 1, 2, 2, 0x5254ede59a10011d},
    {64, 48, 31, 17, 0x30f3356f8066d67d},     {17, 31, 64, 48, 0x9f06a64dbbb6853f},
    {33, 20, 32, 20, 0x24154a5530c31b8d},     {33, 20, 33, 19, 0x0ba4178631242e64},
    {100, 3, 3, 100, 0x7e50433d01ef70b6},     {1, 20000, 7, 512, 0x4815ff3038bd0604},
    {20000, 1, 512, 3, 0x0447828551b1820e},   {32768, 2, 1, 1, 0x2fbd121ae17f4037},
    {2, 32768, 9, 33, 0x720b926af0783410},    {1, 1, 1, 32768, 0x735feb79ef1b2325},
    {500, 436, 224, 224, 0x57ee602cd9a6f09a}, {500, 375, 288, 224, 0x9ea53ee3d30e9dbb},
    {224, 288, 375, 500, 0x5df577c815bc0ea4}, {640, 480, 639, 481, 0x8ae191e56fbd728b},
};
