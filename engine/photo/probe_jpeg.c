/* probe_jpeg.c - walks the markers of a JPEG without decoding it: size, scans, tables, and whether it is whole. ITU-T T.81 (JPEG), annex B.
 * Flow: formats -> [probe] -> decode_stb. Thread: any. Allocates nothing.
 *
 * Accepted although untidy: bytes after the end (thumbnails, second pictures of MPO and Live Photo files, padding), fill bytes and junk before
 * the frame header, a baseline JPEG whose end-of-image marker alone is missing, restart markers in excess, CMYK with or without Adobe's marker,
 * a progressive JPEG that ends properly but lacks later scans (it is the whole photo, less sharp).
 * Refused because stb_image would answer grey or worse without a word: no scan data, a component without any, data cut short, scans that use
 * tables which were never given. */
#include "probe.h"
#include <string.h>

enum { /* second bytes of markers */
  SOF0 = 0xc0, SOF1 = 0xc1, SOF2 = 0xc2, DHT = 0xc4, JPG = 0xc8, DAC = 0xcc, SOF15 = 0xcf, RST0 = 0xd0, RST7 = 0xd7, SOI = 0xd8, EOI = 0xd9,
  SOS = 0xda, DQT = 0xdb, DRI = 0xdd, APP14 = 0xee,
};
enum { NO_ADOBE = -1, ADOBE_CMYK = 0, ADOBE_YCCK = 2, MOST_WORK = 16 /* scans x pixels against the allowed pixels */ };

typedef struct jpeg {
  const cam_limits *limits;
  photo_plan *plan;
  cam_error *error;
  bool progressive;
  int components;             /* 0: no frame header yet */
  size_t frame_at;            /* where it stands */
  struct component { int id, across, down, quantizer; } component[4];
  int most_across, most_down; /* of the components' sampling factors */
  unsigned quantizers, dc_tables, ac_tables; /* bit i: table i has been given */
  unsigned begun;             /* bit i: component i has had scan data */
  bool has_detail;            /* a progressive one has had a scan of AC coefficients */
  int restart;                /* blocks or MCUs between restart markers; 0: none */
  int scans;
  int64_t units;              /* blocks or MCUs of the current scan */
  int adobe;                  /* colour transform of Adobe's marker */
} jpeg;

#define BROKEN(...) cam_fail(j->error, CAM_E_PHOTO, "broken JPEG: " __VA_ARGS__)

/* ---- One function a segment: p[0..n) is what follows its length ---- */

static cam_code read_frame(jpeg *j, const uint8_t *p, size_t n) {
  if (j->components) return BROKEN("two frame headers");
  if (n < 6 || n != 6 + 3u * p[5]) return BROKEN("frame header of %zu bytes", n);
  if (p[0] != 8) return cam_fail(j->error, CAM_E_FORMAT, "JPEG with %d bits a sample; supported are 8", p[0]);
  if (!be16(p + 1)) return cam_fail(j->error, CAM_E_FORMAT, "JPEG whose height comes after its data (DNL), which is not supported");
  if (p[5] != 1 && p[5] != 3 && p[5] != 4) return cam_fail(j->error, CAM_E_FORMAT, "JPEG with %d components; supported are 1, 3 and 4", p[5]);
  cam_code code = plan_size(j->plan, be16(p + 3), be16(p + 1), j->limits, j->error);
  if (code) return code;
  j->components = p[5];
  j->most_across = j->most_down = 1;
  for (int i = 0; i < j->components; i++) {
    const uint8_t *c = p + 6 + 3 * i;
    j->component[i] = (struct component){c[0], c[1] >> 4, c[1] & 15, c[2]};
    int across = c[1] >> 4, down = c[1] & 15;
    if (across < 1 || across > 4 || down < 1 || down > 4 || c[2] > 3) return BROKEN("component %d has sampling %d x %d, table %d", i, across, down, c[2]);
    if (across > j->most_across) j->most_across = across;
    if (down > j->most_down) j->most_down = down;
  }
  return CAM_OK;
}

static cam_code read_quantizers(jpeg *j, const uint8_t *p, size_t n) {
  for (size_t at = 0; at < n;) {
    size_t size = p[at] >> 4 ? 129 : 65;
    if (p[at] >> 4 > 1 || (p[at] & 15) > 3 || size > n - at) return BROKEN("bad quantization table");
    j->quantizers |= 1u << (p[at] & 15);
    at += size;
  }
  return CAM_OK;
}

static cam_code read_codes(jpeg *j, const uint8_t *p, size_t n) {
  for (size_t at = 0; at < n;) {
    size_t codes = 0;
    if (n - at < 17 || p[at] >> 4 > 1 || (p[at] & 15) > 3) return BROKEN("bad Huffman table");
    for (int i = 1; i <= 16; i++) codes += p[at + i];
    if (codes > 256 || codes > n - at - 17) return BROKEN("Huffman table of %zu codes", codes);
    *(p[at] >> 4 ? &j->ac_tables : &j->dc_tables) |= 1u << (p[at] & 15);
    at += 17 + codes;
  }
  return CAM_OK;
}

static cam_code read_restart(jpeg *j, const uint8_t *p, size_t n) {
  if (n != 2) return BROKEN("bad restart interval");
  j->restart = (int)be16(p);
  return CAM_OK;
}

static cam_code read_adobe(jpeg *j, const uint8_t *p, size_t n) {
  if (n >= 12 && !memcmp(p, "Adobe", 6)) j->adobe = p[11];
  return CAM_OK;
}

static int64_t blocks(int64_t side, int factor, int most) { return ((side * factor + most - 1) / most + 7) / 8; }

static cam_code read_scan(jpeg *j, const uint8_t *p, size_t n) {
  if (!j->components) return BROKEN("scan before the frame header");
  if (n < 1 || p[0] < 1 || p[0] > j->components || n != 4 + 2u * p[0]) return BROKEN("bad scan header");
  const photo_plan *plan = j->plan;
  int64_t pixels = (int64_t)plan->width * plan->height, most = MOST_WORK * j->limits->max_pixels;
  if (++j->scans > j->limits->max_scans)
    return cam_fail(j->error, CAM_E_BUDGET, "more than %d scans; allowed are %d", j->limits->max_scans, j->limits->max_scans);
  if (j->scans > most / pixels)
    return cam_fail(j->error, CAM_E_BUDGET, "%d scans or more of %d x %d pixels; allowed are %lld pixels in all scans", j->scans, plan->width,
                    plan->height, (long long)most);
  int start = p[1 + 2 * p[0]], refines = p[3 + 2 * p[0]] >> 4;
  for (int i = 0; i < p[0]; i++) {
    int id = p[1 + 2 * i], dc = p[2 + 2 * i] >> 4, ac = p[2 + 2 * i] & 15, c = 0;
    while (c < j->components && j->component[c].id != id) c++;
    if (c == j->components || dc > 3 || ac > 3) return BROKEN("scan of an unknown component or table");
    bool has_dc = !start && !refines, has_ac = !j->progressive || start;
    if ((has_dc && !(j->dc_tables >> dc & 1)) || (has_ac && !(j->ac_tables >> ac & 1)))
      return BROKEN("scan %d uses a Huffman table that was not given", j->scans);
    if (!(j->quantizers >> j->component[c].quantizer & 1)) return BROKEN("component %d uses a quantization table that was not given", c);
    if (!start) j->begun |= 1u << c;
    else j->has_detail = true;
    const struct component *component = &j->component[c];
    j->units = p[0] > 1 ? blocks(plan->width, 1, j->most_across) * blocks(plan->height, 1, j->most_down) /* MCUs: 8 * most pixels a side */
                        : blocks(plan->width, component->across, j->most_across) * blocks(plan->height, component->down, j->most_down);
  }
  return CAM_OK;
}

static cam_code refuse_frame(jpeg *j, const uint8_t *p, size_t n) {
  (void)p, (void)n;
  return cam_fail(j->error, CAM_E_FORMAT, "JPEG of a kind that is not supported (lossless, hierarchical or arithmetic coding)");
}

static const struct { uint8_t first, last; cam_code (*read)(jpeg *j, const uint8_t *p, size_t n); } segments[] = { /* the first that fits */
  {SOF0, SOF2, read_frame}, {DHT, DHT, read_codes}, {JPG, JPG, refuse_frame}, {DAC, DAC, refuse_frame}, {SOF0, SOF15, refuse_frame},
  {DQT, DQT, read_quantizers}, {DRI, DRI, read_restart}, {SOS, SOS, read_scan}, {APP14, APP14, read_adobe},
};

/* From the start of entropy-coded data to the marker after it, or n. Counts restart markers. */
static size_t skip_data(const uint8_t *bytes, size_t at, size_t n, int64_t *restarts) {
  const uint8_t *p;
  while (at < n && (p = memchr(bytes + at, 0xff, n - at))) {
    size_t code = p - bytes + 1;
    while (code < n && bytes[code] == 0xff) code++;
    if (code == n) return n;
    bool restart = bytes[code] >= RST0 && bytes[code] <= RST7;
    if (bytes[code] && !restart) return p - bytes;
    *restarts += restart;
    at = code + 1;
  }
  return n;
}

static cam_code cut_short(jpeg *j) { return BROKEN("cut short, no end-of-image marker"); }

/* The data ran to the end of the file: with an end-of-image marker added, stb_decode can tell whether it was all there. */
static cam_code add_end(jpeg *j, const uint8_t *bytes, size_t n) {
  if (j->progressive || j->components == 4) return cut_short(j);
  size_t half = n && bytes[n - 1] == 0xff; /* the marker's own first byte */
  memcpy(plan_patch(j->plan, n - half, half, 2), (const uint8_t[]){0xff, EOI}, 2);
  return CAM_OK;
}

static cam_code walk(jpeg *j, const uint8_t *bytes, size_t n) {
  size_t at = 2;
  for (;;) {
    if (j->components) {
      if (at < n && bytes[at] != 0xff) return BROKEN("no marker at byte %zu", at);
    } else { /* padding between segments */
      while (at < n && bytes[at] != 0xff) at++;
    }
    size_t marker_at = at;
    while (at < n && bytes[at] == 0xff) at++;
    if (at == n) return j->scans ? cut_short(j) : BROKEN("no scan data");
    int marker = bytes[at++];
    if (marker == EOI) return CAM_OK;
    if (marker == SOI || marker < SOF0 || (marker >= RST0 && marker <= RST7)) return BROKEN("marker %02x at byte %zu", marker, at - 1);
    if (n - at < 2 || be16(bytes + at) < 2 || be16(bytes + at) > n - at) return j->scans ? cut_short(j) : BROKEN("no scan data");
    size_t length = be16(bytes + at);
    if (marker >= SOF0 && marker <= SOF2) {
      j->frame_at = marker_at;
      j->progressive = marker == SOF2;
    }
    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++) {
      if (marker < segments[i].first || marker > segments[i].last) continue;
      cam_code code = segments[i].read(j, bytes + at + 2, length - 2);
      if (code) return code;
      break;
    }
    at += length;
    if (marker != SOS) continue;
    int64_t restarts = 0;
    at = skip_data(bytes, at, n, &restarts);
    int64_t due = j->restart ? (j->units - 1) / j->restart : 0;
    if (restarts < due) return BROKEN("scan %d has %lld restart markers, not %lld: cut short", j->scans, (long long)restarts, (long long)due);
    if (at == n) return add_end(j, bytes, n);
  }
}

cam_code probe_jpeg(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan, cam_error *error) {
  jpeg state = {.limits = limits, .plan = plan, .error = error, .adobe = NO_ADOBE}, *j = &state;
  plan->channels = 3;
  plan->budget = limits->decode_bytes;
  cam_code code = walk(j, bytes, n);
  if (code) return code;
  if (!j->scans) return BROKEN("no scan data");
  if (j->begun != (1u << j->components) - 1) return BROKEN("no scan data for some of its %d components", j->components);
  if (j->progressive && !j->has_detail) return BROKEN("nothing after its first scan: cut short");
  if (j->components == 4 && j->adobe != ADOBE_CMYK && j->adobe != ADOBE_YCCK) {
    /* stb takes four components without Adobe's word for YCbCr and alpha. libjpeg: CMYK without the marker, YCCK with one that says otherwise. */
    uint8_t segment[16] = {0xff, APP14, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, j->adobe == NO_ADOBE ? ADOBE_CMYK : ADOBE_YCCK};
    memcpy(plan_patch(plan, j->frame_at, 0, sizeof segment), segment, sizeof segment);
  }
  return CAM_OK;
}
