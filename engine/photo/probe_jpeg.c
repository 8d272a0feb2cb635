/* probe_jpeg.c - walks the markers of a JPEG without decoding it: its size, how its components are
 * sampled, how many scans it has. ITU-T T.81 (JPEG), annex B. Flow: formats -> markers -> [probe]
 * -> decode_jpeg. Thread: any. Allocates nothing, so that what is too large or has a thousand scans
 * costs nothing.
 *
 * What libjpeg and browsers show whole is accepted, untidy as it may be: anything between segments;
 * tables that are missing (those of Motion JPEG are meant); and behind the data of the last scan
 * anything, or nothing, not even the end-of-image marker. Where that data ends only decoding tells:
 * codec/jpeg.c says whether it is all there. */
#include "colour.h"
#include "exif.h"
#include "markers.h"
#include "probe.h"
#include <string.h>

/* Scans x pixels against the allowed pixels: libjpeg writes 10 scans of colour and 18 of ink. */
enum { MOST_WORK = 20 };

typedef struct jpeg {
  const cam_limits *limits;
  photo_plan *plan;
  cam_error *error;
  bool framed; /* the frame header has been seen */
  bool progressive;
  bool has_profile;
  size_t app2_bytes; /* of all segments that an ICC profile may stand in */
  int scans;
} jpeg;

#define BROKEN(...) cam_fail(j->error, CAM_E_PHOTO, "broken JPEG: " __VA_ARGS__)

/* ---- One function a segment: p[0..n) is what follows its length ---- */

/* Three bytes a component: its name, its two factors, its quantization table. */
static cam_code read_sampling(jpeg *j, const uint8_t *p, size_t n, int components) {
  jpeg_shape *shape = &j->plan->jpeg;
  if (n != 3 * (size_t)components)
    return BROKEN("frame header of %zu bytes", n + 6);
  shape->components = components;
  for (int c = 0; c < components; c++) {
    const int across = p[3 * c + 1] >> 4, down = p[3 * c + 1] & 15;
    if (across < 1 || across > 4 || down < 1 || down > 4)
      return BROKEN("sampling factors %d and %d", across, down);
    shape->across[c] = across;
    shape->down[c] = down;
  }
  return CAM_OK;
}

static cam_code read_frame(jpeg *j, const uint8_t *p, size_t n) {
  if (j->framed)
    return BROKEN("two frame headers");
  if (n < 6)
    return BROKEN("frame header of %zu bytes", n);
  if (p[0] != 8)
    return cam_fail(j->error, CAM_E_FORMAT, "JPEG with %d bits a sample; supported are 8", p[0]);
  if (!be16(p + 1))
    return cam_fail(j->error, CAM_E_FORMAT,
                    "JPEG whose height comes after its data (DNL), which is not supported");
  if (p[5] != 1 && p[5] != 3 && p[5] != 4)
    return cam_fail(j->error, CAM_E_FORMAT, "JPEG with %d components; supported are 1, 3 and 4",
                    p[5]);
  j->framed = true;
  cam_code code = read_sampling(j, p + 6, n - 6, p[5]);
  if (code)
    return code;
  return plan_size(j->plan, be16(p + 3), be16(p + 1), j->limits, j->error);
}

static cam_code read_scan(jpeg *j, const uint8_t *p, size_t n) {
  if (!j->framed)
    return BROKEN("scan before the frame header");
  if (!n)
    return BROKEN("scan header of 0 bytes");
  if (!j->scans)
    j->plan->jpeg.several_scans = j->progressive || p[0] < j->plan->jpeg.components;
  int64_t pixels = (int64_t)j->plan->width * j->plan->height,
          most = MOST_WORK * j->limits->max_pixels;
  if (++j->scans > j->limits->max_scans)
    return cam_fail(j->error, CAM_E_BUDGET, "more than %d scans; allowed are %d",
                    j->limits->max_scans, j->limits->max_scans);
  if (j->scans > most / pixels)
    return cam_fail(j->error, CAM_E_BUDGET,
                    "%d scans or more of %d x %d pixels; allowed are %lld pixels in all scans",
                    j->scans, j->plan->width, j->plan->height, (long long)most);
  return CAM_OK;
}

/* A profile's parts are in segments of this kind, with others (MPF, FlashPix). libjpeg keeps all of
 * them or none. */
static void read_app2(jpeg *j, const uint8_t *p, size_t n) {
  static const char name[] = "ICC_PROFILE";
  enum { KEPT_WITH_EACH = 64 };
  j->has_profile |= n > sizeof name && !memcmp(p, name, sizeof name);
  j->app2_bytes += n + KEPT_WITH_EACH;
}

static cam_code read_segment(jpeg *j, const jpeg_segment *s) {
  if (s->marker == SOS)
    return read_scan(j, s->content, s->n);
  if (s->marker == APP2)
    read_app2(j, s->content, s->n);
  if (s->marker > SOF15 || s->marker == DHT)
    return CAM_OK;
  if (s->marker > SOF2)
    return cam_fail(
        j->error, CAM_E_FORMAT,
        "JPEG of a kind that is not supported (lossless, hierarchical or arithmetic coding)");
  j->progressive = s->marker == SOF2;
  return read_frame(j, s->content, s->n);
}

static cam_code check_end(jpeg *j, const jpeg_segment *s, size_t at) {
  if (j->scans)
    return CAM_OK;
  if (s->marker == EOI || s->marker == NO_MARKER)
    return BROKEN("no scan data");
  return BROKEN("marker %02x at byte %zu", s->marker, at - 1);
}

/* As far as libjpeg goes at most: one scan where it has all components, else until something is no
 * segment of the photo any more. */
static cam_code walk_segments(jpeg *j, const uint8_t *bytes, size_t n) {
  size_t at = 2;
  for (;;) {
    const jpeg_segment s = next_segment(bytes, n, &at);
    const bool frame_again = j->scans && s.marker >= SOF0 && s.marker <= SOF15 && s.marker != DHT;
    if (s.marker < SOF0 || s.marker == SOI || s.marker == EOI || frame_again)
      return check_end(j, &s, at);
    cam_code code = read_segment(j, &s);
    if (code)
      return code;
    if (s.marker != SOS)
      continue;
    if (!j->plan->jpeg.several_scans)
      return CAM_OK;
    at = skip_scan_data(bytes, at, n);
  }
}

cam_code probe_jpeg(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                    cam_error *error) {
  jpeg state = {.limits = limits, .plan = plan, .error = error};
  plan->orientation = exif_orientation(bytes, n);
  cam_code code = walk_segments(&state, bytes, n);
  if (code)
    return code;
  plan->jpeg.width = plan->width;
  plan->jpeg.height = plan->height;
  plan->channels = plan->jpeg.components == 4 ? 4 : 3;
  if (state.has_profile && state.app2_bytes <= COLOUR_MOST_PROFILE)
    plan->jpeg.profile_bytes = state.app2_bytes;
  return CAM_OK;
}
