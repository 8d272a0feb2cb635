/* decode_png.c - libpng, fenced in. Flow: probe_png -> [decode_png] -> colour -> flatten -> decode.
 * Thread: any. PNG: W3C, Third Edition.
 *
 * The library is pushed all bytes up to the end of the pixels' last chunk and no further, so that
 * neither a missing end nor what follows matters; whether all rows came is counted here. What is
 * wrong with a chunk that changes no pixel (tRNS, iCCP, gAMA at a wrong place, damaged, for another
 * kind of picture) is a warning of the library's, and the chunk is passed over, as in browsers;
 * what is wrong with one that does is an error. All its memory comes from a budget of this thread,
 * so that nothing inflates without end. An error never returns: it jumps to where the reading
 * began. */
#include "decode_png.h"
#include "budget.h"
#include "cam_minmax.h"
#include "colour.h"
#include "flatten.h"
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum {
  FIXED_BYTES = 256 << 10, /* of library and zlib, whatever the picture */
  ROW_EXTRA = 256,
};

typedef struct reader {
  const photo_plan *plan;
  uint8_t *pixels; /* [height,width,channels] */
  int channels;    /* 3, or 4 with transparency */
  bool grey;
  uint32_t rows;    /* of the passes that there are, those that came */
  uint8_t *profile; /* as the library has it, copied */
  colour_space space;
  bool failed;
  char why[80]; /* what the library said last */
} reader;

/* ---- What the library asks ---- */

static png_voidp png_malloc_within(png_structp png, png_alloc_size_t n) {
  (void)png;
  return budget_malloc(n);
}
static void take_back(png_structp png, png_voidp block) {
  (void)png;
  budget_free(block);
}

static void note(reader *r, const char *message) { snprintf(r->why, sizeof r->why, "%s", message); }
static void on_warning(png_structp png, png_const_charp message) {
  note(png_get_error_ptr(png), message);
}
__attribute__((noreturn)) static void on_png_error(png_structp png, png_const_charp message) {
  reader *r = png_get_error_ptr(png);
  note(r, message);
  r->failed = true;
  png_longjmp(png, 1);
}

/* ---- Colours ---- */

/* The library has sorted out which chunk counts: an sRGB chunk says that there is nothing to do,
 * and a profile that does not fit the picture is not there. */
static void read_colours(reader *r, png_structp png, png_infop info) {
  colour_space *space = &r->space;
  png_charp name;
  png_bytep profile;
  png_uint_32 n;
  int method;
  if (png_get_iCCP(png, info, &name, &method, &profile, &n)) {
    r->profile = budget_malloc(n);
    if (!r->profile)
      png_error(png, "no memory");
    memcpy(r->profile, profile, n);
    space->icc = r->profile;
    space->n = n;
    return;
  }
  if (png_get_valid(png, info, PNG_INFO_sRGB) || !png_get_gAMA(png, info, &space->gamma))
    return;
  double *xy = space->chromaticity;
  png_get_cHRM(png, info, xy, xy + 1, xy + 2, xy + 3, xy + 4, xy + 5, xy + 6, xy + 7);
}

/* ---- Rows ---- */

/* All chunks before the pixels have been read. */
static void on_header(png_structp png, png_infop info) {
  reader *r = png_get_progressive_ptr(png);
  const photo_plan *plan = r->plan;
  if (png_get_image_width(png, info) != (png_uint_32)plan->width ||
      png_get_image_height(png, info) != (png_uint_32)plan->height)
    png_error(png, "two sizes");
  r->grey = !(png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR);
  read_colours(r, png, info);
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_gray_to_rgb(png);
  png_read_update_info(png, info);
  r->channels = png_get_channels(png, info);
  if (r->channels > plan->channels)
    png_error(png, "transparent all the same");
  r->pixels = budget_malloc((size_t)r->channels * (size_t)plan->width * (size_t)plan->height);
  if (!r->pixels)
    png_error(png, "no memory");
}

/* Rows of an interlaced picture have every other pixel of every other row, or fewer: PNG 8.1. */
static void on_row(png_structp png, png_bytep row, png_uint_32 number, int pass) {
  reader *r = png_get_progressive_ptr(png);
  const size_t width = (size_t)r->plan->width, channels = (size_t)r->channels;
  r->rows++;
  if (r->plan->png.passes == 1) {
    memcpy(r->pixels + number * width * channels, row, width * channels);
    return;
  }
  const size_t y = PNG_ROW_FROM_PASS_ROW(number, pass), step = PNG_PASS_COL_OFFSET(pass);
  uint8_t *line = r->pixels + y * width * channels;
  for (size_t x = PNG_PASS_START_COL(pass); x < width; x += step, row += channels)
    memcpy(line + x * channels, row, channels);
}

static uint32_t rows_of(const photo_plan *plan) {
  if (plan->png.passes == 1)
    return (uint32_t)plan->height;
  uint32_t rows = 0;
  for (int pass = 0; pass < plan->png.passes; pass++)
    if (PNG_PASS_COLS((uint32_t)plan->width, pass) > 0)
      rows += PNG_PASS_ROWS((uint32_t)plan->height, pass);
  return rows;
}

/* ---- A file ---- */

/* Chunks that say nothing of the pixels are not even inflated. sRGB is the first: a profile goes
 * before it wherever they stand, as in browsers; the library takes the one that comes first. */
static const png_byte ignored[] =
    "sRGB\0bKGD\0eXIf\0hIST\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0tEXt\0tIME\0zTXt";
enum { CHUNK_NAME = 5, IGNORED = sizeof ignored / CHUNK_NAME };

/* Ends by a jump to its first line if anything is wrong: all that it owns is reached through its
 * arguments. */
static void push_file(png_structp png, png_infop info, reader *r, const uint8_t *bytes, size_t n) {
  if (setjmp(png_jmpbuf(png)))
    return;
  const photo_plan *plan = r->plan;
  png_set_user_limits(png, (png_uint_32)plan->width, (png_uint_32)plan->height);
  png_set_chunk_malloc_max(png, plan->png.most_chunk);
  const int kept = plan->png.has_profile ? 0 : 1;
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, ignored + CHUNK_NAME * kept,
                              IGNORED - kept);
  png_set_progressive_read_fn(png, r, on_header, on_row, NULL);
  png_process_data(png, info, (png_bytep)(uintptr_t)bytes, n); /* only read */
}

/* Into r->pixels and r->profile, of the thread's budget. */
static void read_png(const uint8_t *bytes, size_t n, reader *r) {
  png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, on_png_error, on_warning,
                                             NULL, png_malloc_within, take_back);
  if (!png)
    return;
  png_infop info = png_create_info_struct(png);
  if (info)
    push_file(png, info, r, bytes, n);
  png_destroy_read_struct(&png, &info, NULL);
}

/* The library has a profile twice and copies it once; while colours are converted, the copy is all
 * that is left of that. */
size_t work_of_png(const photo_plan *plan, size_t *result) {
  const size_t row = (size_t)plan->width * 8 + ROW_EXTRA;
  size_t profile = 0, converting = FIXED_BYTES;
  if (plan->png.has_profile)
    profile = plan->png.profile_bytes;
  if (plan->png.has_profile || plan->png.has_gamma)
    converting = profile + colour_work_bytes(profile);
  *result = plan_pixel_bytes(plan);
  return *result + max_size(4 * row + 3 * profile + FIXED_BYTES, converting);
}

static cam_code finish(reader *r, cam_error *error) {
  const photo_plan *plan = r->plan;
  if (r->failed || !r->pixels || r->rows != rows_of(plan)) {
    if (!r->why[0])
      note(r, "cut short");
    return cam_fail(error, CAM_E_PHOTO, "broken PNG: %s", r->why);
  }
  r->space.deadline = plan->deadline;
  return colour_to_srgb(&r->space, r->grey ? COLOUR_GREY : COLOUR_RGB, r->pixels,
                        (size_t)plan->width * (size_t)plan->height, r->channels,
                        plan_rest(plan, plan_pixel_bytes(plan) + r->space.n), error);
}

cam_code decode_png(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                    cam_error *error) {
  reader r = {.plan = plan};
  budget_begin(plan->budget);
  read_png(bytes, min_size(n, plan->png.end), &r);
  cam_error why = {0};
  cam_code code = finish(&r, &why);
  const cam_code refused = budget_end(code ? NULL : r.pixels, error);
  if (refused && !code)
    free(r.pixels);
  if (refused)
    return refused;
  if (code) {
    *error = why;
    return code;
  }
  if (r.channels == 4)
    flatten(r.pixels, plan->width, plan->height, image);
  else
    *image = (cam_image){plan->width, plan->height, r.pixels};
  return CAM_OK;
}
