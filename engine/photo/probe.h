/* probe.h - what can be known of a photo before it is decoded: its size, whether it is cut where
 * that shows, and what must be patched so that the decoder reads it right. Nothing is allocated and
 * no limit is passed here, so a hostile header costs nothing. Flow: formats -> [probe_jpeg.c |
 * probe_png.c | probe_webp.c | probe_bmp.c] -> decode_*. Thread: any. */
#ifndef PROBE_H
#define PROBE_H
#include "cam_engine.h"

enum { PHOTO_PATCHES = 2, PHOTO_PATCH_BYTES = 14 + 108 + 4 * 256 };

/* The decoder sees `inserted` bytes in place of `removed` ones. */
typedef struct photo_patch {
  size_t at, removed, inserted;
} photo_patch;

typedef struct photo_plan {
  int width, height; /* as stored, before any orientation */
  int orientation;   /* what EXIF says, 1 to 8; 0: nothing */
  int channels;      /* to ask of the decoder: 4 where there is transparency, else 3 */
  size_t budget;     /* bytes that decoding may hold at any moment */
  /* Set after the probe, by whoever decodes: */
  double deadline; /* seconds of CLOCK_MONOTONIC by which a JPEG must be decoded; 0: none */
  int least_width, least_height; /* as stored: a decoder that can may give a smaller picture with at
                                    least these */
  int patch_count;               /* patches lie in the order of the file and do not touch */
  photo_patch patches[PHOTO_PATCHES];
  size_t patch_size;
  uint8_t patch_bytes[PHOTO_PATCH_BYTES]; /* what they insert, one after another */
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

/* For the probes: sets the plan's size if it is allowed. Implemented, as plan_patch, in probe.c. */
cam_code plan_size(photo_plan *plan, int64_t width, int64_t height, const cam_limits *limits,
                   cam_error *error);
/* For the probes: adds a patch and returns where its `inserted` bytes go. */
uint8_t *plan_patch(photo_plan *plan, size_t at, size_t removed, size_t inserted);
/* The photo with its patches, *n bytes, which are the caller's, for free(); NULL if there is no
 * memory. */
uint8_t *plan_patched(const photo_plan *plan, const uint8_t *bytes, size_t *n);

static inline uint32_t be16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static inline uint32_t be32(const uint8_t *p) { return be16(p) << 16 | be16(p + 2); }
static inline uint32_t le16(const uint8_t *p) { return (uint32_t)p[1] << 8 | p[0]; }
static inline uint32_t le24(const uint8_t *p) { return (uint32_t)p[2] << 16 | le16(p); }
static inline uint32_t le32(const uint8_t *p) { return le16(p + 2) << 16 | le16(p); }

#endif
