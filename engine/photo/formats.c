/* formats.c - which kind of file it is, by magic bytes alone. Flow: [formats] -> probe -> decode.
 * Thread: any. Unsupported kinds are known by name, so that the caller learns what to convert. */
#include "probe.h"
#include <string.h>
#include <strings.h>

typedef struct magic {
  const char *name;
  int format;    /* cam_format, or UNSUPPORTED */
  uint8_t at, n; /* where the bytes stand, how many they are */
  const char *bytes;
  const char *brand; /* NULL, or the four bytes that say what is in the container: see has_brand */
} magic;
enum { UNSUPPORTED = -1 };

#define M(name, at, bytes) \
  { name, UNSUPPORTED, at, sizeof bytes - 1, bytes, NULL }
#define RIFF(name, brand) \
  { name, UNSUPPORTED, 0, 4, "RIFF", brand }
#define FTYP(name, brand) \
  { \
    name, UNSUPPORTED, 4, 4, "ftyp", brand \
  } /* ISO base media: ISO/IEC 14496-12 4.3; HEIF's brands: 23008-12 */
static const magic magics[] = {
    /* the first that fits: longer ones before shorter ones */
    {"JPEG", CAM_JPEG, 0, 2, "\xff\xd8", NULL},
    {"PNG", CAM_PNG, 0, 4, "\x89PNG", NULL},
    {"WebP", CAM_WEBP, 0, 4, "RIFF", "WEBP"},
    {"BMP", CAM_BMP, 0, 2, "BM", NULL},
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
  size_t end = m->at ? be32(bytes)
                     : 0; /* of the box that lists them; the minor version is before them */
  if (end > n)
    end = n;
  for (size_t at = 16; at + 4 <= end && at < TEXT_LOOK; at += 4)
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
  return found ? found + strlen(word) : end;
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
  const uint8_t *end = p + (n < TEXT_LOOK ? n : TEXT_LOOK);
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
  if (!kind && memmem(p, n < PDF_LOOK ? n : PDF_LOOK, "%PDF-", 5))
    kind = "PDF";
  return kind || !is_text(p, n) ? kind : "text";
}

cam_code photo_identify(const uint8_t *bytes, size_t n, cam_format *format, cam_error *error) {
  if (!n)
    return cam_fail(error, CAM_E_FORMAT, "empty: 0 bytes; " PHOTO_SUPPORTED);
  const char *name = NULL;
  for (size_t i = 0; !name && i < sizeof magics / sizeof *magics; i++) {
    const magic *m = &magics[i];
    if (n < (size_t)m->at + m->n || memcmp(bytes + m->at, m->bytes, m->n) ||
        (m->brand && !has_brand(m, bytes, n)))
      continue;
    name = m->name;
    if (m->format != UNSUPPORTED)
      return *format = (cam_format)m->format, CAM_OK;
  }
  if (!name)
    name = other_kind(bytes, n);
  if (name)
    return cam_fail(error, CAM_E_FORMAT, "%s; " PHOTO_SUPPORTED, name);
  char hex[3 * 8 + 1] = "";
  for (size_t i = 0; i < n && i < 8; i++)
    snprintf(hex + 3 * i, 4, " %02x", bytes[i]);
  return cam_fail(error, CAM_E_FORMAT,
                  "unknown kind of file, its first bytes are%s; " PHOTO_SUPPORTED, hex);
}
