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
  default:
    break; /* no pixel is made up for these: bytes too many, progression out of order, unknown
              versions, no end-of-image marker */
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

/* Bytes that decoding holds beside its result: with several scans all coefficients, 2 bytes each;
 * and for each component two strips of blocks, as high as its sampling says, with a row of context
 * above and below, and the rows made of one strip: 40 rows and more where sampling is 4. */
static size_t scratch_bytes(j_decompress_ptr library) {
  size_t rows = 12 * (size_t)library->max_v_samp_factor,
         bytes = rows * (library->image_width + 32) * (size_t)library->num_components;
  for (int c = 0; jpeg_has_multiple_scans(library) && c < library->num_components; c++) {
    const jpeg_component_info *component = &library->comp_info[c];
    bytes += sizeof(JBLOCK) * (component->width_in_blocks + 4) *
             (component->height_in_blocks + 4); /* they come in whole MCUs */
  }
  return bytes;
}

static void forbid_if_missing(j_decompress_ptr library, JHUFF_TBL **table) {
  if (*table)
    return;
  *table = jpeg_alloc_huff_table((j_common_ptr)library);
  memset(*table, 0, sizeof **table);
}
/* The library takes tables that are nowhere in the file for those of Motion JPEG. Empty ones in
 * their place make their use a bad code. */
static void forbid_missing_tables(j_decompress_ptr library) {
  for (int i = 0; i < NUM_HUFF_TBLS; i++) {
    forbid_if_missing(library, &library->dc_huff_tbl_ptrs[i]);
    forbid_if_missing(library, &library->ac_huff_tbl_ptrs[i]);
  }
}

/* All scans have been read if there are several: does each component have its own, and a
 * progressive photo more than its first? */
static void check_scans(j_decompress_ptr library) {
  bool detail = !library->progressive_mode;
  for (int c = 0; jpeg_has_multiple_scans(library) && c < library->num_components; c++) {
    bool begun = library->comp_info[c].quant_table != NULL;
    if (library->progressive_mode)
      begun = library->coef_bits[c][0] >= 0;
    if (!begun)
      LEAVE(library, CAM_E_PHOTO, "broken JPEG: no scan data for some of its %d components",
            library->num_components);
    for (int i = 1; !detail && i < DCTSIZE2; i++)
      detail = library->coef_bits[c][i] >= 0;
  }
  if (!detail)
    LEAVE(library, CAM_E_PHOTO, "broken JPEG: nothing after its first scan: cut short");
}

/* Adobe's CMYK, which everyone writes who writes any, has 255 for no ink. */
static void cmyk_row(const uint8_t *cmyk, size_t n, uint8_t *rgb) {
  for (size_t i = 0; i < n; i++, cmyk += 4, rgb += 3)
    for (int c = 0; c < 3; c++) {
      uint32_t product = (uint32_t)cmyk[c] * cmyk[3] + 128;
      rgb[c] = (uint8_t)((product + (product >> 8)) >> 8); /* / 255, rounded */
    }
}

static void read_pixels(j_decompress_ptr library, uint8_t *pixels) {
  size_t width = library->output_width;
  JSAMPARRAY cmyk = NULL;
  if (library->out_color_space == JCS_CMYK)
    cmyk = library->mem->alloc_sarray((j_common_ptr)library, JPOOL_IMAGE, 4 * library->output_width,
                                      1);
  while (library->output_scanline < library->output_height) {
    uint8_t *row = pixels + 3 * width * library->output_scanline;
    if (!jpeg_read_scanlines(library, cmyk ? cmyk : &row, 1))
      LEAVE(library, CAM_E_INTERNAL, "libjpeg gave no row %u", library->output_scanline);
    if (cmyk)
      cmyk_row(*cmyk, width, row);
  }
}

/* The library calls this at each row of blocks of each scan, and at each row of pixels: a
 * progressive photo of many scans is bounded in time, too. */
typedef struct progress {
  struct jpeg_progress_mgr base;
  double deadline;
} progress; /* base first: a pointer to it is one to the progress */
static void on_progress(j_common_ptr library) {
  const progress *p = (const progress *)library->progress;
  if (clock_seconds() >= p->deadline)
    LEAVE(library, CAM_E_DEADLINE, "the deadline passed while the JPEG was decoded");
}

typedef struct wish {
  const uint8_t *bytes;
  size_t n;
  int width, height, least_width, least_height;
  size_t budget;
  progress progress;
} wish;

/* Scaled decoding computes fewer pixels of each block of 8 x 8: 12 megapixels take a fourth of the
 * time at 1/4. */
static void choose_scale(j_decompress_ptr library, const wish *w) {
  int shrink = 8;
  while (shrink > 1 && ((w->width + shrink - 1) / shrink < w->least_width ||
                        (w->height + shrink - 1) / shrink < w->least_height))
    shrink /= 2;
  library->scale_num = 1;
  library->scale_denom = (unsigned)shrink;
}

/* Ends by a jump to its first line if anything is wrong: all that it owns is reached through its
 * arguments. */
static void decode(j_decompress_ptr library, wish *w, cam_image *image) {
  if (setjmp(state_of((j_common_ptr)library)->back))
    return;
  jpeg_create_decompress(library);
  if (w->progress.deadline > 0)
    library->progress = &w->progress.base;
  jpeg_mem_src(library, w->bytes, w->n);
  jpeg_read_header(library, TRUE);
  if (library->image_width != (JDIMENSION)w->width ||
      library->image_height != (JDIMENSION)w->height)
    LEAVE(library, CAM_E_PHOTO, "broken JPEG: %u x %u pixels and %d x %d", library->image_width,
          library->image_height, w->width, w->height);
  library->out_color_space = library->num_components == 4 ? JCS_CMYK : JCS_RGB;
  choose_scale(library, w);
  jpeg_calc_output_dimensions(library);
  size_t needed = 3 * (size_t)library->output_width * library->output_height +
                  scratch_bytes(library);
  if (needed > w->budget)
    LEAVE(library, CAM_E_BUDGET, "decoding needs %zu bytes of memory; allowed are %zu", needed,
          w->budget);
  /* In place of what the environment variable JPEGMEM says. */
  library->mem->max_memory_to_use = (long)min_size(w->budget, LONG_MAX);
  forbid_missing_tables(library);
  if (!image_alloc(image, (int)library->output_width, (int)library->output_height))
    LEAVE(library, CAM_E_NO_MEMORY, "no memory to decode the photo");
  jpeg_start_decompress(library);
  check_scans(library);
  read_pixels(library, image->rgb);
}

cam_code jpeg_decode(const uint8_t *bytes, size_t n, int width, int height, int least_width,
                     int least_height, size_t budget, double deadline, cam_image *image,
                     cam_error *error) {
  wish w = {bytes,       n,
            width,       height,
            least_width, least_height,
            budget,      {{.progress_monitor = on_progress}, deadline}};
  state s = {0};
  struct jpeg_decompress_struct library = {.err = fence(&s, error)};
  *image = (cam_image){0};
  decode(&library, &w, image);
  jpeg_destroy_decompress(&library);
  if (s.code)
    image_free(image);
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

/* As decode. */
static void encode(j_compress_ptr library, const uint8_t *pixels, int width, int height,
                   int channels, sink *to) {
  if (setjmp(state_of((j_common_ptr)library)->back))
    return;
  jpeg_create_compress(library);
  library->dest = &to->base;
  library->image_width = (JDIMENSION)width;
  library->image_height = (JDIMENSION)height;
  library->input_components = channels;
  library->in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(library);
  jpeg_set_quality(library, QUALITY, TRUE);
  jpeg_start_compress(library, TRUE);
  while (library->next_scanline < library->image_height) {
    JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)library->next_scanline * (size_t)width *
                                                      (size_t)channels); /* only read */
    jpeg_write_scanlines(library, &row, 1);
  }
  jpeg_finish_compress(library);
}

cam_code jpeg_encode(const uint8_t *pixels, int width, int height, int channels, cam_bytes *out,
                     cam_error *error) {
  *out = (cam_bytes){0};
  if (width > JPEG_MAX_DIMENSION || height > JPEG_MAX_DIMENSION)
    return cam_fail(error, CAM_E_PIXELS, "a JPEG of %d x %d pixels; a side may have %ld", width,
                    height, JPEG_MAX_DIMENSION);
  state s = {0};
  sink to = {.base = {.init_destination = begin_sink,
                      .empty_output_buffer = more_room,
                      .term_destination = end_sink}};
  struct jpeg_compress_struct library = {.err = fence(&s, error)};
  encode(&library, pixels, width, height, channels, &to);
  jpeg_destroy_compress(&library);
  if (s.code)
    free(to.bytes);
  else
    *out = (cam_bytes){to.bytes, to.room - to.base.free_in_buffer};
  return s.code;
}
