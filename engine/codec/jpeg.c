/* jpeg.c - libjpeg-turbo's jpeglib, fenced in. Flow: probe -> [jpeg] -> decode; picture -> [jpeg].
 * Thread: any. Its TurboJPEG API has no bounds on memory in 2.1; jpeglib's documentation is
 * libjpeg.txt. The library knows two ways out, both used here:
 *  - an error never returns: it jumps to where the call began (state.back), and whoever made the
 * call frees everything;
 *  - a warning means that it goes on with something made up: those that cost pixels are made
 * errors, the others are about tidiness. */
#include "jpeg.h"
#include "cam_clock.h"
#include "cam_minmax.h"
#include <jerror.h>
#include <jpeglib.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h> /* jpeglib.h wants FILE */
#include <stdlib.h>
#include <string.h>

typedef struct state {
  struct jpeg_error_mgr errors; /* first: the library's pointer to it is one to the state */
  jmp_buf back;
  cam_code code;
  cam_error *error;
  bool ran_out; /* the bytes ended before the photo said that it does */
} state;

/* ---- What the library says ---- */

static state *state_of(j_common_ptr library) { return (state *)library->err; }

#define LEAVE(library, error_code, ...) \
  do { \
    state *s_ = state_of((j_common_ptr)(library)); \
    s_->code = cam_fail(s_->error, error_code, __VA_ARGS__); \
    longjmp(s_->back, 1); \
  } while (0)

__attribute__((noreturn)) static void on_error(j_common_ptr library) {
  char text[JMSG_LENGTH_MAX];
  library->err->format_message(library, text);
  switch (library->err->msg_code) {
  case JERR_OUT_OF_MEMORY:
    LEAVE(library, CAM_E_NO_MEMORY, "no memory for libjpeg");
  case JERR_CCIR601_NOTIMPL:
  case JERR_CONVERSION_NOTIMPL:
  case JERR_FRACT_SAMPLE_NOTIMPL:
    LEAVE(library, CAM_E_FORMAT, "JPEG of a kind that is not supported: %s", text);
  default:
    LEAVE(library, CAM_E_PHOTO, "broken JPEG: %s", text);
  }
}

static void on_message(j_common_ptr library, int level) {
  if (level >= 0)
    return; /* a trace */
  switch (library->err->msg_code) {
  case JWRN_HIT_MARKER:
    LEAVE(library, CAM_E_PHOTO, "broken JPEG: the scan data is cut short");
  case JWRN_HUFF_BAD_CODE:
  case JWRN_MUST_RESYNC:
    on_error(library);
  case JWRN_JPEG_EOF:
    state_of(library)->ran_out = true;
    break;
  default:
    break; /* libjpeg and browsers show these as they are: bytes too many, progression out of order,
              unknown versions, no end-of-image marker */
  }
}

static void on_output(j_common_ptr library) { (void)library; } /* never to stderr */

static struct jpeg_error_mgr *fence(state *s, cam_error *error) {
  s->error = error;
  jpeg_std_error(&s->errors);
  s->errors.error_exit = on_error;
  s->errors.emit_message = on_message;
  s->errors.output_message = on_output;
  return &s->errors;
}

/* ---- In ---- */

static int divided(int a, int b) { return (a + b - 1) / b; } /* rounded up */

/* Scaled decoding computes fewer pixels of each block of 8 x 8. */
static int shrink_of(const jpeg_shape *shape, int least_width, int least_height) {
  int shrink = 8;
  while (shrink > 1 && (divided(shape->width, shrink) < least_width ||
                        divided(shape->height, shrink) < least_height))
    shrink /= 2;
  return shrink;
}

static int most_of(const int factors[4], int n) {
  int most = 1;
  for (int i = 0; i < n; i++)
    most = max_int(most, factors[i]);
  return most;
}

/* With several scans, the coefficients of the whole picture: 2 bytes each, in whole units of all
 * components (T.81 A.2). */
static size_t coefficient_bytes(const jpeg_shape *shape) {
  const int most_across = most_of(shape->across, shape->components),
            most_down = most_of(shape->down, shape->components);
  const size_t units_across = (size_t)divided(shape->width, 8 * most_across),
               units_down = (size_t)divided(shape->height, 8 * most_down);
  size_t bytes = 0;
  for (int c = 0; shape->several_scans && c < shape->components; c++) {
    const size_t rows = units_down * (size_t)shape->down[c];
    bytes += rows * (units_across * (size_t)shape->across[c] * sizeof(JBLOCK) + sizeof(void *));
  }
  return bytes;
}

/* Beside that, for each component two strips of blocks, as high as its sampling says, with a row of
 * context above and below, and the rows made of one strip. The library rounds a row up to 64 bytes
 * and keeps pointers to it. What does not depend on the picture (tables, pools) is FIXED_BYTES.
 * Segments of a profile are kept once as they came and once in one piece. */
size_t jpeg_work_bytes(const jpeg_shape *shape, int least_width, int least_height,
                       size_t *pixel_bytes) {
  enum { FIXED_BYTES = 64 << 10, ROW_EXTRA = 128, STRIP_ROWS = 12 };
  const int shrink = shrink_of(shape, least_width, least_height);
  const size_t channels = shape->components == 4 ? 4 : 3;
  *pixel_bytes = channels * (size_t)divided(shape->width, shrink) *
                 (size_t)divided(shape->height, shrink);
  const size_t rows = STRIP_ROWS * (size_t)most_of(shape->down, shape->components) *
                      (size_t)shape->components;
  return *pixel_bytes + coefficient_bytes(shape) + rows * ((size_t)shape->width + ROW_EXTRA) +
         2 * shape->profile_bytes + FIXED_BYTES;
}

typedef struct source {
  const uint8_t *bytes;
  size_t n;
  const jpeg_shape *shape;
  int shrink;
  size_t budget;
  struct jpeg_progress_mgr *watch; /* NULL: no deadline */
  jpeg_picture *picture;
} source;

/* The library calls this at each row of pixels; reading scans calls it at each row of blocks: a
 * progressive photo of many scans is bounded in time, too. */
typedef struct progress {
  struct jpeg_progress_mgr base;
  double deadline;
} progress; /* base first: a pointer to it is one to the progress */
static void on_progress(j_common_ptr library) {
  const progress *p = (const progress *)library->progress;
  if (p && clock_seconds() >= p->deadline)
    LEAVE(library, CAM_E_DEADLINE, "the deadline passed while the JPEG was decoded");
}

/* Has each component its scan? */
static bool all_begun(j_decompress_ptr library) {
  for (int c = 0; c < library->num_components; c++) {
    bool begun = library->comp_info[c].quant_table != NULL;
    if (library->progressive_mode)
      begun = library->coef_bits[c][0] >= 0;
    if (!begun)
      return false;
  }
  return true;
}

/* Has the last bit of every coefficient been read? */
static bool all_read(j_decompress_ptr library) {
  if (!all_begun(library))
    return false;
  for (int c = 0; library->progressive_mode && c < library->num_components; c++)
    for (int i = 0; i < DCTSIZE2; i++)
      if (library->coef_bits[c][i] != 0)
        return false;
  return true;
}

/* The end of a photo of several scans came before all was read: does it still show the whole
 * photo? With an end-of-image marker it may lack later scans, and is less sharp. */
static void check_unfinished(j_decompress_ptr library) {
  if (!all_begun(library))
    LEAVE(library, CAM_E_PHOTO, "broken JPEG: no scan data for some of its %d components",
          library->num_components);
  if (state_of((j_common_ptr)library)->ran_out)
    LEAVE(library, CAM_E_PHOTO, "broken JPEG: cut short, no end-of-image marker");
  for (int c = 0; library->progressive_mode && c < library->num_components; c++)
    for (int i = 1; i < DCTSIZE2; i++)
      if (library->coef_bits[c][i] >= 0)
        return;
  LEAVE(library, CAM_E_PHOTO, "broken JPEG: nothing after its first scan: cut short");
}

/* Reads scans until nothing is missing, and not further: what follows may be anything. */
static void read_scans(j_decompress_ptr library) {
  for (;;) {
    const int got = jpeg_consume_input(library);
    on_progress((j_common_ptr)library);
    if (got == JPEG_SCAN_COMPLETED && all_read(library))
      return;
    if (got == JPEG_REACHED_EOI) {
      check_unfinished(library);
      return;
    }
  }
}

static void read_rows(j_decompress_ptr library, const jpeg_picture *picture) {
  const size_t row_bytes = (size_t)picture->channels * (size_t)picture->width;
  while (library->output_scanline < library->output_height) {
    uint8_t *row = picture->pixels + row_bytes * library->output_scanline;
    if (!jpeg_read_scanlines(library, &row, 1))
      LEAVE(library, CAM_E_INTERNAL, "libjpeg gave no row %u", library->output_scanline);
  }
}

static void make_room(j_decompress_ptr library, jpeg_picture *picture) {
  enum { SLACK = 4 }; /* see cam_image */
  picture->width = (int)library->output_width;
  picture->height = (int)library->output_height;
  picture->channels = library->out_color_components;
  picture->grey = library->jpeg_color_space == JCS_GRAYSCALE;
  const size_t bytes = (size_t)picture->channels * library->output_width * library->output_height;
  picture->pixels = malloc(bytes + SLACK);
  if (!picture->pixels)
    LEAVE(library, CAM_E_NO_MEMORY, "no memory to decode the photo");
  memset(picture->pixels + bytes, 0, SLACK);
}

static void read_profile(j_decompress_ptr library, jpeg_picture *picture) {
  unsigned n = 0;
  if (jpeg_read_icc_profile(library, &picture->profile.data, &n))
    picture->profile.size = n;
}

static void check_header(j_decompress_ptr library, const jpeg_shape *shape) {
  if (library->image_width != (JDIMENSION)shape->width ||
      library->image_height != (JDIMENSION)shape->height ||
      library->num_components != shape->components ||
      jpeg_has_multiple_scans(library) != shape->several_scans)
    LEAVE(library, CAM_E_PHOTO, "broken JPEG: %u x %u pixels of %d components and %d x %d of %d",
          library->image_width, library->image_height, library->num_components, shape->width,
          shape->height, shape->components);
}

/* Ends by a jump to its first line if anything is wrong: all that it owns is reached through its
 * arguments. */
static void decode(j_decompress_ptr library, const source *from) {
  if (setjmp(state_of((j_common_ptr)library)->back))
    return;
  jpeg_create_decompress(library);
  library->progress = from->watch;
  /* In place of what the environment variable JPEGMEM says. */
  library->mem->max_memory_to_use = (long)min_size(from->budget, LONG_MAX);
  jpeg_mem_src(library, from->bytes, from->n);
  if (from->shape->profile_bytes)
    jpeg_save_markers(library, JPEG_APP0 + 2, 0xffff);
  jpeg_read_header(library, TRUE);
  check_header(library, from->shape);
  library->out_color_space = library->num_components == 4 ? JCS_CMYK : JCS_RGB;
  library->scale_num = 1;
  library->scale_denom = (unsigned)from->shrink;
  library->buffered_image = from->shape->several_scans;
  read_profile(library, from->picture);
  jpeg_start_decompress(library);
  if (library->buffered_image) {
    read_scans(library);
    jpeg_start_output(library, library->input_scan_number);
  }
  make_room(library, from->picture);
  read_rows(library, from->picture);
}

void jpeg_picture_free(jpeg_picture *picture) {
  free(picture->pixels);
  free(picture->profile.data);
  *picture = (jpeg_picture){0};
}

cam_code jpeg_decode(const uint8_t *bytes, size_t n, const jpeg_shape *shape, int least_width,
                     int least_height, size_t budget, double deadline, jpeg_picture *picture,
                     cam_error *error) {
  *picture = (jpeg_picture){0};
  size_t pixel_bytes;
  const size_t needed = jpeg_work_bytes(shape, least_width, least_height, &pixel_bytes);
  if (needed > budget)
    return cam_fail(error, CAM_E_BUDGET, "decoding needs %zu bytes of memory; allowed are %zu",
                    needed, budget);
  progress watch = {{.progress_monitor = on_progress}, deadline};
  source from = {.bytes = bytes, .n = n, .shape = shape, .budget = budget, .picture = picture};
  from.shrink = shrink_of(shape, least_width, least_height);
  if (deadline > 0)
    from.watch = &watch.base;
  state s = {0};
  struct jpeg_decompress_struct library = {.err = fence(&s, error)};
  decode(&library, &from);
  jpeg_destroy_decompress(&library);
  if (s.code)
    jpeg_picture_free(picture);
  return s.code;
}

/* ---- Out ----
 * The colours have half the size (4:2:0, libjpeg's own choice). Brought to the same bytes by
 * quality full size is equally near to the original and slower. */
enum { QUALITY = 90 };

typedef struct sink {
  struct jpeg_destination_mgr base;
  uint8_t *bytes;
  size_t room;
} sink; /* base first: a pointer to it is one to the sink */

/* The library fills its room to the last byte before it asks. */
static boolean more_room(j_compress_ptr library) {
  sink *to = (sink *)library->dest;
  const size_t used = to->room, room = used + used / 2;
  uint8_t *more = realloc(to->bytes, room);
  if (!more)
    LEAVE(library, CAM_E_NO_MEMORY, "no memory for a JPEG of more than %zu bytes", used);
  to->bytes = more;
  to->room = room;
  to->base.next_output_byte = more + used;
  to->base.free_in_buffer = room - used;
  return TRUE;
}

static void begin_sink(j_compress_ptr library) {
  sink *to = (sink *)library->dest;
  to->room = (size_t)library->image_width * library->image_height / 4 *
                 (size_t)library->input_components +
             4096;
  to->bytes = malloc(to->room);
  if (!to->bytes)
    LEAVE(library, CAM_E_NO_MEMORY, "no memory for a JPEG of %u x %u pixels", library->image_width,
          library->image_height);
  to->base.next_output_byte = to->bytes;
  to->base.free_in_buffer = to->room;
}

static void end_sink(j_compress_ptr library) { (void)library; }

/* As decode. room: a row. */
static void encode(j_compress_ptr library, const pixel_rows *rows, uint8_t *room, sink *to) {
  if (setjmp(state_of((j_common_ptr)library)->back))
    return;
  jpeg_create_compress(library);
  library->dest = &to->base;
  library->image_width = (JDIMENSION)rows->width;
  library->image_height = (JDIMENSION)rows->height;
  library->input_components = rows->channels;
  library->in_color_space = rows->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(library);
  jpeg_set_quality(library, QUALITY, TRUE);
  jpeg_start_compress(library, TRUE);
  while (library->next_scanline < library->image_height) {
    const uint8_t *pixels = pixel_row(rows, (int)library->next_scanline, room);
    JSAMPROW row = (JSAMPROW)(uintptr_t)pixels; /* only read */
    jpeg_write_scanlines(library, &row, 1);
  }
  jpeg_finish_compress(library);
}

cam_code jpeg_encode(const pixel_rows *rows, cam_bytes *out, cam_error *error) {
  *out = (cam_bytes){0};
  if (rows->width > JPEG_MAX_DIMENSION || rows->height > JPEG_MAX_DIMENSION)
    return cam_fail(error, CAM_E_PIXELS, "a JPEG of %d x %d pixels; a side may have %ld",
                    rows->width, rows->height, JPEG_MAX_DIMENSION);
  uint8_t *room = malloc(pixel_row_bytes(rows));
  if (!room)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a JPEG of %d x %d pixels", rows->width,
                    rows->height);
  state s = {0};
  sink to = {.base = {.init_destination = begin_sink,
                      .empty_output_buffer = more_room,
                      .term_destination = end_sink}};
  struct jpeg_compress_struct library = {.err = fence(&s, error)};
  encode(&library, rows, room, &to);
  jpeg_destroy_compress(&library);
  free(room);
  if (s.code)
    free(to.bytes);
  else
    *out = (cam_bytes){to.bytes, to.room - to.base.free_in_buffer};
  return s.code;
}
