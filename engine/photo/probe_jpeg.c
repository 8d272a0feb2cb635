/* probe_jpeg.c - walks the markers of a JPEG without decoding it: its size, how many scans it has,
 * and whether it ends. ITU-T T.81 (JPEG), annex B. Flow: formats -> [probe] -> jpeg. Thread: any.
 * Allocates nothing, so that what is too large or has a thousand scans costs nothing.
 *
 * Accepted although untidy: bytes after the end (thumbnails, second pictures of MPO and Live Photo
 * files, padding), fill bytes and junk before the frame header, a baseline JPEG whose end-of-image
 * marker alone is missing, CMYK with or without Adobe's marker, a progressive JPEG that ends
 * properly but lacks later scans (it is the whole photo, less sharp). Whether the data between the
 * markers is whole, jpeg.c finds. */
#include "exif.h"
#include "probe.h"
#include <string.h>

enum { /* second bytes of markers */
       SOF0 = 0xc0,
       SOF2 = 0xc2,
       DHT = 0xc4,
       JPG = 0xc8,
       DAC = 0xcc,
       SOF15 = 0xcf,
       RST0 = 0xd0,
       RST7 = 0xd7,
       SOI = 0xd8,
       EOI = 0xd9,
       SOS = 0xda,
};
enum { MOST_WORK = 16 /* scans x pixels against the allowed pixels */ };

typedef struct jpeg {
  const cam_limits *limits;
  photo_plan *plan;
  cam_error *error;
  bool framed; /* the frame header has been seen */
  bool progressive;
  int scans;
} jpeg;

#define BROKEN(...) cam_fail(j->error, CAM_E_PHOTO, "broken JPEG: " __VA_ARGS__)

/* ---- One function a segment: p[0..n) is what follows its length ---- */

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
  return plan_size(j->plan, be16(p + 3), be16(p + 1), j->limits, j->error);
}

static cam_code read_scan(jpeg *j) {
  if (!j->framed)
    return BROKEN("scan before the frame header");
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

static cam_code read_segment(jpeg *j, int marker, const uint8_t *p, size_t n) {
  if (marker == SOS)
    return read_scan(j);
  if (marker < SOF0 || marker > SOF15 || marker == DHT)
    return CAM_OK;
  if (marker > SOF2)
    return cam_fail(
        j->error, CAM_E_FORMAT,
        "JPEG of a kind that is not supported (lossless, hierarchical or arithmetic coding)");
  j->progressive = marker == SOF2;
  return read_frame(j, p, n);
}

/* From the start of entropy-coded data to the marker after it, or n. */
static size_t skip_data(const uint8_t *bytes, size_t at, size_t n) {
  const uint8_t *p;
  while (at < n && (p = memchr(bytes + at, 0xff, n - at))) {
    size_t code = p - bytes + 1;
    while (code < n && bytes[code] == 0xff)
      code++;
    if (code == n)
      return n;
    if (bytes[code] && (bytes[code] < RST0 || bytes[code] > RST7))
      return p - bytes;
    at = code + 1;
  }
  return n;
}

static cam_code cut_short(jpeg *j) {
  if (!j->scans)
    return BROKEN("no scan data");
  return BROKEN("cut short, no end-of-image marker");
}

static cam_code walk(jpeg *j, const uint8_t *bytes, size_t n) {
  size_t at = 2;
  for (;;) {
    if (j->framed) {
      if (at < n && bytes[at] != 0xff)
        return BROKEN("no marker at byte %zu", at);
    } else { /* padding between segments */
      while (at < n && bytes[at] != 0xff)
        at++;
    }
    while (at < n && bytes[at] == 0xff)
      at++;
    if (at == n)
      return cut_short(j);
    int marker = bytes[at++];
    if (marker == EOI)
      return j->scans > 0 ? CAM_OK : BROKEN("no scan data");
    if (marker == SOI || marker < SOF0 || (marker >= RST0 && marker <= RST7))
      return BROKEN("marker %02x at byte %zu", marker, at - 1);
    if (n - at < 2 || be16(bytes + at) < 2 || be16(bytes + at) > n - at)
      return cut_short(j);
    size_t length = be16(bytes + at);
    cam_code code = read_segment(j, marker, bytes + at + 2, length - 2);
    if (code)
      return code;
    at += length;
    if (marker != SOS)
      continue;
    at = skip_data(bytes, at, n);
    if (at == n)
      return j->progressive ? cut_short(j) : CAM_OK; /* a baseline photo may be whole even so */
  }
}

cam_code probe_jpeg(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                    cam_error *error) {
  jpeg state = {.limits = limits, .plan = plan, .error = error};
  plan->channels = 3;
  plan->budget = limits->decode_bytes;
  plan->orientation = exif_orientation(bytes, n);
  return walk(&state, bytes, n);
}
