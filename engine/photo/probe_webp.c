/* probe_webp.c - walks the chunks of a WebP without decoding it: its size, whether it is
 * transparent, which way up it is, what colours it is in, whether it is cut. RFC 9649 (WebP:
 * container 2, lossless header 3.4), RFC 6386 9.1 (lossy header). Flow: formats -> [probe] ->
 * decode_webp. Thread: any. Allocates nothing. Accepted although untidy: bytes after the end,
 * unknown chunks, a missing last padding byte. Of an animation the first frame is the photo, where
 * it lies on its canvas. */
#include "exif.h"
#include "probe.h"
#include <string.h>

enum {
  HEADER = 12, /* RIFF, size, WEBP */
  CHUNK = 8,   /* name, size */
  FRAME = 16,  /* what an ANMF chunk has before the frame's own chunks */
  ANIMATION = 0x02,
  EXIF = 0x08,
  PROFILE = 0x20,
};

typedef struct webp {
  const cam_limits *limits;
  photo_plan *plan;
  cam_error *error;
  const uint8_t *bytes;
  bool extended, image; /* VP8X, the picture: have been seen */
  bool framed;          /* the picture is a frame of an animation */
  uint8_t flags;        /* of VP8X */
} webp;

#define BROKEN(...) cam_fail(w->error, CAM_E_PHOTO, "broken WebP: " __VA_ARGS__)

static cam_code walk_riff(webp *w, size_t at, size_t end);

/* ---- One function a chunk: content[0..n) is what it holds ---- */

static cam_code read_extended(webp *w, const uint8_t *content, size_t n) {
  if (w->extended)
    return CAM_OK; /* the first counts */
  if (n != 10)
    return BROKEN("VP8X chunk of %zu bytes", n);
  w->extended = true;
  w->flags = content[0];
  return plan_size(w->plan, 1 + (int64_t)le24(content + 4), 1 + (int64_t)le24(content + 7),
                   w->limits, w->error);
}

/* The picture fills the canvas, or its frame. */
static cam_code read_size(webp *w, uint32_t width, uint32_t height) {
  photo_plan *plan = w->plan;
  webp_plan *own = &plan->webp;
  w->image = true;
  if (!w->extended) {
    cam_code code = plan_size(plan, width, height, w->limits, w->error);
    if (code)
      return code;
  }
  if (!w->framed) {
    own->width = plan->width;
    own->height = plan->height;
  }
  if (width == (uint32_t)own->width && height == (uint32_t)own->height)
    return CAM_OK;
  return BROKEN("a picture of %u x %u on a canvas of %d x %d pixels", width, height, own->width,
                own->height);
}

static cam_code read_first_frame(webp *w, const uint8_t *content, size_t n) {
  webp_plan *own = &w->plan->webp;
  if (!(w->flags & ANIMATION) || w->image || w->framed)
    return CAM_OK; /* only the first counts, and none within it */
  if (n < FRAME)
    return BROKEN("cut short in its first frame");
  const uint32_t x = 2 * le24(content), y = 2 * le24(content + 3), width = 1 + le24(content + 6),
                 height = 1 + le24(content + 9);
  if (x + width > (uint32_t)w->plan->width || y + height > (uint32_t)w->plan->height)
    return BROKEN("a frame of %u x %u at %u, %u on a canvas of %d x %d pixels", width, height, x, y,
                  w->plan->width, w->plan->height);
  own->x = (int)x;
  own->y = (int)y;
  own->width = (int)width;
  own->height = (int)height;
  w->framed = true;
  if (own->width < w->plan->width || own->height < w->plan->height)
    w->plan->channels = 4; /* what it leaves free is transparent */
  const size_t at = (size_t)(content - w->bytes) + FRAME;
  own->picture = (photo_span){at, n - FRAME};
  cam_code code = walk_riff(w, at, at + n - FRAME);
  if (!code && !w->image)
    return BROKEN("no picture in its first frame");
  return code;
}

static cam_code read_lossy(webp *w, const uint8_t *content, size_t n) {
  if (n < 10)
    return BROKEN("cut short in its header");
  if (content[0] & 1)
    return BROKEN("no key frame");
  if (memcmp(content + 3, "\x9d\x01\x2a", 3))
    return BROKEN("no VP8 start code");
  return read_size(w, le16(content + 6) & 0x3fff,
                   le16(content + 8) &
                       0x3fff); /* the upper 2 bits say how to enlarge it for display */
}

static cam_code read_lossless(webp *w, const uint8_t *content, size_t n) {
  if (n < 5)
    return BROKEN("cut short in its header");
  const uint32_t bits = le32(content + 1);
  if (content[0] != 0x2f || bits >> 29)
    return BROKEN("no VP8L signature of version 0");
  w->plan->webp.lossless = true;
  if (bits >> 28 & 1)
    w->plan->channels = 4;
  return read_size(w, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
}

static cam_code read_alpha(webp *w, const uint8_t *content,
                           size_t n) { /* of the lossy picture that follows */
  (void)content;
  (void)n;
  if (w->extended && !w->image)
    w->plan->channels = 4;
  return CAM_OK;
}

static cam_code read_iccp_chunk(webp *w, const uint8_t *content, size_t n) {
  if (w->flags & PROFILE && !w->plan->webp.profile.n)
    w->plan->webp.profile = (photo_span){(size_t)(content - w->bytes), n};
  return CAM_OK;
}

static cam_code read_exif(webp *w, const uint8_t *content, size_t n) {
  if (w->flags & EXIF && !w->plan->orientation)
    w->plan->orientation = exif_of_tiff(content, n);
  return CAM_OK;
}

static const struct {
  char name[5];
  bool image, opens;
  cam_code (*read)(webp *w, const uint8_t *content, size_t n);
} chunks[] = {
    {"VP8X", false, true, read_extended},     {"VP8 ", true, true, read_lossy},
    {"VP8L", true, true, read_lossless},      {"ALPH", false, false, read_alpha},
    {"ANMF", false, false, read_first_frame}, {"ICCP", false, false, read_iccp_chunk},
    {"EXIF", false, false, read_exif},
};

static cam_code read_chunk(webp *w, bool first, const uint8_t *name, const uint8_t *content,
                           size_t n) {
  for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
    if (memcmp(name, chunks[i].name, 4))
      continue;
    if (first && !chunks[i].opens)
      break;
    if (chunks[i].image && (w->image || (w->flags & ANIMATION && !w->framed)))
      return CAM_OK; /* of two pictures the first is it; an animation's are in frames */
    return chunks[i].read(w, content, n);
  }
  if (first)
    return BROKEN("it begins with none of VP8, VP8L and VP8X");
  return CAM_OK;
}

static cam_code walk_riff(webp *w, size_t at, size_t end) {
  const bool file = at == HEADER;
  while (at < end && end - at >= CHUNK && (w->extended || !w->image)) {
    const uint8_t *bytes = w->bytes;
    const size_t length = le32(bytes + at + 4), room = end - at - CHUNK;
    if (length > room && w->image)
      break; /* what follows the picture does not make it worse */
    if (length > room)
      return BROKEN("cut short: a chunk of %zu bytes where %zu are left", length, room);
    cam_code code = read_chunk(w, file && at == HEADER, bytes + at, bytes + at + CHUNK, length);
    if (code)
      return code;
    at += CHUNK + length + (length & 1);
  }
  return CAM_OK;
}

cam_code probe_webp(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                    cam_error *error) {
  webp state = {.limits = limits, .plan = plan, .error = error, .bytes = bytes}, *w = &state;
  if (n < HEADER + CHUNK)
    return BROKEN("cut short in its header");
  const size_t riff = le32(bytes + 4);
  if (riff > n - 8)
    return BROKEN("cut short: %zu bytes, needs %zu", n, riff + 8);
  plan->channels = 3;
  plan->webp.picture = (photo_span){0, 8 + riff};
  cam_code code = walk_riff(w, HEADER, 8 + riff);
  if (code)
    return code;
  if (!w->image)
    return BROKEN("no picture in it");
  return CAM_OK;
}
