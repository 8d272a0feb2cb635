/* formats.c - which kind of file it is, by magic bytes alone, and who reads it. Flow: [formats] ->
 * probe -> decode. Thread: any. Unsupported kinds are known by name, so that the caller learns what
 * to convert. */
#include "formats.h"
#include "cam_minmax.h"
#include "decode_bmp.h"
#include "decode_jpeg.h"
#include "decode_png.h"
#include "decode_webp.h"
#include <string.h>
#include <strings.h>

static const photo_format formats[CAM_FORMAT_COUNT] = {
    [CAM_JPEG] = {"JPEG", "\xff\xd8", NULL, probe_jpeg, work_of_jpeg, decode_jpeg},
    [CAM_PNG] = {"PNG", "\x89PNG", NULL, probe_png, work_of_png, decode_png},
    [CAM_WEBP] = {"WebP", "RIFF", "WEBP", probe_webp, work_of_webp, decode_webp},
    [CAM_BMP] = {"BMP", "BM", NULL, probe_bmp, work_of_bmp, decode_bmp},
};

const photo_format *photo_format_of(cam_format format) { return &formats[format]; }

/* ---- Kinds that are not read ---- */

typedef struct magic {
  const char *name;
  uint8_t at, n; /* where the bytes stand, how many they are */
  const char *bytes;
  const char *brand; /* NULL, or the four bytes that say what is in the container: see has_brand */
} magic;

#define M(name, at, bytes) \
  { name, at, sizeof bytes - 1, bytes, NULL }
#define RIFF(name, brand) \
  { name, 0, 4, "RIFF", brand }
#define FTYP(name, brand) \
  { \
    name, 4, 4, "ftyp", brand \
  } /* ISO base media: ISO/IEC 14496-12 4.3; HEIF's brands: 23008-12 \
     */
static const magic magics[] = {
    /* the first that fits: longer ones before shorter ones */
    M("GIF", 0, "GIF8"),
    RIFF("AVI video", "AVI "),
    RIFF("WAVE audio", "WAVE"),
    RIFF("Windows cursor", "ACON"),
    FTYP("AVIF", "avif"),
    FTYP("AVIF", "avis"),
    FTYP("HEIC", "heic"),
    FTYP("HEIC", "heix"),
    FTYP("HEIC", "hevc"),
    FTYP("HEIC", "hevx"),
    FTYP("HEIC", "heim"),
    FTYP("HEIC", "heis"),
    FTYP("HEIC", "hevm"),
    FTYP("HEIC", "hevs"),
    FTYP("HEIF", "mif1"),
    FTYP("HEIF", "mif2"),
    FTYP("HEIF", "msf1"),
    FTYP("Canon CR3 raw", "crx "),
    FTYP("QuickTime video", "qt  "),
    M("MP4 video", 4, "ftyp"),
    M("QuickTime video", 4, "moov"),
    M("QuickTime video", 4, "mdat"),
    M("QuickTime video", 4, "wide"),
    M("JPEG XL", 4, "JXL \r\n\x87\n"),
    M("JPEG XL", 0, "\xff\x0a"),
    M("JPEG 2000", 4, "jP  \r\n\x87\n"),
    M("JPEG 2000", 0, "\xff\x4f\xff\x51"),
    M("JPEG XR", 0, "II\xbc\x01"),
    M("Canon CR2 raw", 8, "CR\x02"),
    M("Panasonic raw", 0, "IIU\0"),
    M("Olympus raw", 0, "IIRO"),
    M("Fujifilm raw", 0, "FUJIFILM"),
    M("TIFF", 0, "II*\0"),
    M("TIFF", 0, "MM\0*"),
    M("BigTIFF", 0, "II+\0"),
    M("BigTIFF", 0, "MM\0+"),
    M("PDF", 0, "%PDF"),
    M("PostScript", 0, "%!PS"),
    M("Photoshop (PSD)", 0, "8BPS"),
    M("GIMP XCF", 0, "gimp xcf"),
    M("ICO", 0, "\0\0\1\0"),
    M("Windows cursor", 0, "\0\0\2\0"),
    M("Apple icon", 0, "icns"),
    M("OpenEXR", 0, "v/1\1"),
    M("Radiance HDR", 0, "#?RADIANCE"),
    M("Radiance HDR", 0, "#?RGBE"),
    M("DirectDraw surface", 0, "DDS "),
    M("KTX texture", 1, "KTX "),
    M("QOI", 0, "qoif"),
    M("BPG", 0, "BPG\xfb"),
    M("FLIF", 0, "FLIF"),
    M("MNG", 0, "\x8aMNG"),
    M("JNG", 0, "\x8bJNG"),
    M("farbfeld", 0, "farbfeld"),
    M("DjVu", 0, "AT&TFORM"),
    M("DICOM", 128, "DICM"),
    M("FITS", 0, "SIMPLE  ="),
    M("NumPy array", 0, "\x93NUMPY"),
    M("WMF", 0, "\xd7\xcd\xc6\x9a"),
    M("Matroska or WebM video", 0, "\x1a\x45\xdf\xa3"),
    M("ZIP", 0, "PK\3\4"),
    M("ZIP", 0, "PK\5\6"),
    M("gzip", 0, "\x1f\x8b"),
    M("RAR", 0, "Rar!"),
    M("7-Zip", 0, "7z\xbc\xaf"),
    M("PBM, PGM or PPM", 0, "P1\n"),
    M("PBM, PGM or PPM", 0, "P2\n"),
    M("PBM, PGM or PPM", 0, "P3\n"),
    M("PBM, PGM or PPM", 0, "P4\n"),
    M("PBM, PGM or PPM", 0, "P5\n"),
    M("PBM, PGM or PPM", 0, "P6\n"),
    M("PAM", 0, "P7\n"),
    M("PFM", 0, "PF\n"),
    M("JPEG as base64 text", 0, "/9j/"),
    M("PNG as base64 text", 0, "iVBORw0KGgo"),
    M("WebP as base64 text", 0, "UklGR"),
};

enum {
  PDF_LOOK = 1024 /* bytes before a PDF's header that readers forgive */,
  TEXT_LOOK = 4096 /* bytes of a prolog that are looked at */
};

/* Is that brand the container's own (bytes 8 to 11) or, of ISO base media, among those it says to
 * be compatible with? */
static bool has_brand(const magic *m, const uint8_t *bytes, size_t n) {
  if (n < 12)
    return false;
  if (!memcmp(bytes + 8, m->brand, 4))
    return true;
  if (!m->at)
    return false;
  size_t end = be32(bytes); /* of the box that lists them; the minor version is before them */
  end = min_size(end, min_size(n, TEXT_LOOK));
  for (size_t at = 16; at + 4 <= end; at += 4)
    if (!memcmp(bytes + at, m->brand, 4))
      return true;
  return false;
}

/* ---- Text: SVG hides behind byte order mark, white space, XML declaration, comments and document
 * type ---- */

static bool starts(const uint8_t *p, const uint8_t *end, const char *word) {
  size_t n = strlen(word);
  return (size_t)(end - p) >= n && !strncasecmp((const char *)p, word, n);
}

static const uint8_t *after(const uint8_t *p, const uint8_t *end, const char *word) {
  const uint8_t *found = memmem(p, end - p, word, strlen(word));
  if (!found)
    return end;
  return found + strlen(word);
}

static const char *text_kind(const uint8_t *p, size_t n) {
  static const struct {
    const char *opens, *closes, *name;
  } prolog[] = {
      {"<!doctype svg", NULL, "SVG"},
      {"<svg", NULL, "SVG"},
      {"<!doctype html", NULL, "HTML"},
      {"<html", NULL, "HTML"},
      {"<head", NULL, "HTML"},
      {"<?xml", "?>", "XML"},
      {"<?", "?>", "XML"},
      {"<!--", "-->", "XML"},
      {"<!doctype", ">", "XML"},
      {"<", NULL, "XML"},
      {"{", NULL, "JSON"},
      {"data:", NULL, "a data: URI"},
  };
  const uint8_t *end = p + min_size(n, TEXT_LOOK);
  if (starts(p, end, "\xef\xbb\xbf"))
    p += 3;
  const char *kind = NULL;
  for (size_t i = 0; i < sizeof prolog / sizeof *prolog;) {
    while (p < end && strchr(" \t\r\n", *p) && *p)
      p++;
    if (!starts(p, end, prolog[i].opens)) {
      i++;
      continue;
    }
    kind = prolog[i].name;
    if (!prolog[i].closes)
      return kind;
    p = after(p, end, prolog[i].closes);
    i = 0;
  }
  return kind;
}

static bool is_text(const uint8_t *p, size_t n) {
  for (size_t i = 0; i < n && i < TEXT_LOOK; i++)
    if ((p[i] < ' ' && !memchr("\t\n\f\r", p[i], 4)) || p[i] > '~')
      return false;
  return true;
}

/* The kind of what has no magic bytes at a known place; NULL if unknown. */
static const char *other_kind(const uint8_t *p, size_t n) {
  const char *kind = text_kind(p, n);
  if (kind)
    return kind;
  if (memmem(p, min_size(n, PDF_LOOK), "%PDF-", 5))
    return "PDF";
  return is_text(p, n) ? "text" : NULL;
}

/* The name of what nothing here reads, or NULL. */
static const char *unsupported_kind(const uint8_t *bytes, size_t n) {
  for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
    const magic *m = &magics[i];
    if (n < (size_t)m->at + m->n || memcmp(bytes + m->at, m->bytes, m->n))
      continue;
    if (!m->brand || has_brand(m, bytes, n))
      return m->name;
  }
  return other_kind(bytes, n);
}

/* ---- Which it is ---- */

static bool is_of(const photo_format *format, const uint8_t *bytes, size_t n) {
  const size_t magic_bytes = strlen(format->magic);
  if (n < magic_bytes || memcmp(bytes, format->magic, magic_bytes))
    return false;
  return !format->brand || (n >= 12 && !memcmp(bytes + 8, format->brand, 4));
}

/* "JPEG, PNG, WebP and BMP" */
static void list_formats(char *text, size_t room) {
  size_t at = 0;
  for (int i = 0; i < CAM_FORMAT_COUNT && at < room; i++) {
    const char *joint = ", ";
    if (i == 0)
      joint = "";
    else if (i == CAM_FORMAT_COUNT - 1)
      joint = " and ";
    at += (size_t)snprintf(text + at, room - at, "%s%s", joint, formats[i].name);
  }
}

static cam_code unsupported(cam_error *error, const char *kind) {
  char supported[64];
  list_formats(supported, sizeof supported);
  return cam_fail(error, CAM_E_FORMAT, "%s; supported are %s", kind, supported);
}

cam_code photo_identify(const uint8_t *bytes, size_t n, cam_format *format, cam_error *error) {
  if (!n)
    return unsupported(error, "empty: 0 bytes");
  for (int i = 0; i < CAM_FORMAT_COUNT; i++)
    if (is_of(&formats[i], bytes, n)) {
      *format = (cam_format)i;
      return CAM_OK;
    }
  const char *kind = unsupported_kind(bytes, n);
  if (kind)
    return unsupported(error, kind);
  char unknown[80];
  int at = snprintf(unknown, sizeof unknown, "unknown kind of file, its first bytes are");
  for (size_t i = 0; i < n && i < 8; i++)
    at += snprintf(unknown + at, sizeof unknown - (size_t)at, " %02x", bytes[i]);
  return unsupported(error, unknown);
}
