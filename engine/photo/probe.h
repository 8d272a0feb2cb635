/* probe.h - what can be known of a photo before it is decoded: its size, which way up it is, where
 * its parts stand, and what decoding it takes. Nothing is allocated and no limit is passed here, so
 * a hostile header costs nothing. Flow: formats -> [probe_jpeg.c | probe_png.c | probe_webp.c |
 * probe_bmp.c] -> decode_*. Thread: any. */
#ifndef PROBE_H
#define PROBE_H
#include "cam_engine.h"
#include "cam_minmax.h"
#include "codec/jpeg.h"

/* Bytes of the file. */
typedef struct photo_span {
  size_t at, n;
} photo_span;

/* What each kind's decoder needs of what its probe found. */
typedef struct png_plan {
  size_t end;           /* of the last chunk of pixels; what follows does not matter */
  int passes;           /* 1, or 7 where it is interlaced */
  size_t profile_bytes; /* of an ICC profile at most, inflated; 0: there is none */
  size_t most_chunk;    /* bytes of the longest chunk that is none of pixels, inflated */
  bool has_profile, has_gamma;
} png_plan;
typedef struct webp_plan {
  photo_span picture;      /* its chunks: with their headers */
  photo_span profile;      /* n is 0: none */
  int x, y, width, height; /* where it lies on the canvas: an animation's first frame */
  bool lossless;
} webp_plan;
typedef struct bmp_plan {
  photo_span palette; /* n: its entries */
  int entry;          /* bytes of an entry: 3 or 4; blue, green, red */
  size_t pixels;      /* where they begin */
  int bits;           /* a pixel: 1, 4, 8, 16, 24, 32 */
  bool run_length, top_down;
  uint32_t mask[4]; /* red, green, blue, alpha; 16 and 32 bits */
} bmp_plan;

typedef struct photo_plan {
  int width, height; /* as stored, before any orientation */
  int orientation;   /* what EXIF says, 1 to 8; 0: nothing */
  int channels;      /* bytes a pixel while it is decoded: 4 where there is transparency or ink */
  union {
    jpeg_shape jpeg;
    png_plan png;
    webp_plan webp;
    bmp_plan bmp;
  };
  /* Set after the probe, by whoever decodes: */
  double deadline; /* seconds of CLOCK_MONOTONIC by which a JPEG must be decoded; 0: none */
  int least_width, least_height; /* as stored: a decoder that can may give a smaller picture with at
                                    least these */
  size_t budget;                 /* bytes that decoding may hold at any moment */
} photo_plan;

/* Each: CAM_OK and a plan (zero before), CAM_E_PIXELS, CAM_E_BUDGET, CAM_E_PHOTO or, for a kind of
 * the format that nothing here reads, CAM_E_FORMAT. */
cam_code probe_jpeg(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                    cam_error *error);
cam_code probe_png(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                   cam_error *error);
cam_code probe_webp(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                    cam_error *error);
cam_code probe_bmp(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                   cam_error *error);

/* For the probes: sets the plan's size if it is allowed. Implemented in probe.c. */
cam_code plan_size(photo_plan *plan, int64_t width, int64_t height, const cam_limits *limits,
                   cam_error *error);
/* Bytes of the plan's pixels while they are decoded, all channels. */
static inline size_t plan_pixel_bytes(const photo_plan *plan) {
  return (size_t)plan->channels * (size_t)plan->width * (size_t)plan->height;
}

/* What is left of the plan's budget while `held` bytes are held. */
static inline size_t plan_rest(const photo_plan *plan, size_t held) {
  return plan->budget - min_size(plan->budget, held);
}

static inline uint32_t be16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static inline uint32_t be32(const uint8_t *p) { return be16(p) << 16 | be16(p + 2); }
static inline uint32_t le16(const uint8_t *p) { return (uint32_t)p[1] << 8 | p[0]; }
static inline uint32_t le24(const uint8_t *p) { return (uint32_t)p[2] << 16 | le16(p); }
static inline uint32_t le32(const uint8_t *p) { return le16(p + 2) << 16 | le16(p); }

#endif
