/* colour.c - lcms2, fenced in. Flow: decode_* -> [colour] -> flatten. Thread: any.
 *
 * A profile is a stranger's file, and lcms2 reads it:
 *  - it has a context of its own for each picture, and its memory is counted and ends at
 * colour_work_bytes; a profile that wants more is ignored;
 *  - only the tags that a picture needs are asked for. The float pipelines of ICC.1:2010 (D2B0 and
 * its kin), whose length nothing bounds, are taken out before: browsers do not know them either.
 * All others have a handful of stages, so time follows from the profile's size;
 *  - nothing here is an error but missing memory: browsers show a picture whose profile is broken
 * as one that has none, and so does this. */
#include "colour.h"
#include "cam_minmax.h"
#include <lcms2.h>
#include <lcms2_plugin.h>
#include <malloc.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
  BLOCK = 1024,          /* pixels that are converted at a time */
  FIXED_BYTES = 3 << 20, /* context, curves, and the table of 17^4 or 33^3 points that lcms makes */
  PER_PROFILE_BYTE = 6,  /* a table of 8 bits is kept in 16, and copied once while it is linked */
};

/* ---- Memory ---- */

static _Thread_local struct {
  size_t used, limit;
  bool refused, out_of_memory;
} memory;

static void *count(void *block) {
  memory.used += malloc_usable_size(block); /* 0 for NULL */
  memory.out_of_memory |= !block;
  return block;
}
static bool has_room(size_t bytes) {
  if (bytes <= memory.limit && memory.used <= memory.limit - bytes)
    return true;
  memory.refused = true;
  return false;
}
static void *lcms_malloc(cmsContext context, cmsUInt32Number bytes) {
  (void)context;
  if (!has_room(bytes))
    return NULL;
  return count(malloc(bytes));
}
static void lcms_free(cmsContext context, void *block) {
  (void)context;
  memory.used -= malloc_usable_size(block);
  free(block);
}
static void *lcms_realloc(cmsContext context, void *block, cmsUInt32Number bytes) {
  (void)context;
  if (!has_room(bytes)) /* both places count while a block moves */
    return NULL;
  const size_t old = malloc_usable_size(block);
  void *moved = count(realloc(block, bytes));
  if (moved)
    memory.used -= old;
  return moved;
}

static cmsContext open_context(size_t limit) {
  static const cmsPluginMemHandler counted = {
      .base = {cmsPluginMagicNumber, 2060, cmsPluginMemHandlerSig, NULL},
      .MallocPtr = lcms_malloc,
      .FreePtr = lcms_free,
      .ReallocPtr = lcms_realloc,
  };
  cmsPluginMemHandler plugin = counted; /* lcms wants it writable */
  memory.used = 0;
  memory.limit = limit;
  memory.refused = false;
  memory.out_of_memory = false;
  return cmsCreateContext(&plugin, NULL);
}

size_t colour_work_bytes(size_t profile_bytes) {
  return FIXED_BYTES + PER_PROFILE_BYTE * min_size(profile_bytes, COLOUR_MOST_PROFILE);
}

/* ---- What is the same as sRGB ---- */

static double srgb_light(double sample) { /* IEC 61966-2-1 */
  if (sample <= 0.04045)
    return sample / 12.92;
  return pow((sample + 0.055) / 1.055, 2.4);
}

/* Within half a level of 8 bits of sRGB's curve? */
static bool is_srgb_curve(const cmsToneCurve *curve) {
  if (!curve)
    return false;
  for (int level = 0; level < 256; level += 5) {
    const double low = srgb_light((level - 0.5) / 255), high = srgb_light((level + 0.5) / 255);
    const double light = cmsEvalToneCurveFloat(curve, (float)level / 255);
    if (light < low - 1e-5 || light > high + 1e-5)
      return false;
  }
  return true;
}

static bool is_near(const cmsCIEXYZ *colorant, const double want[3]) {
  enum { TOLERANCE = 500 }; /* one part of so many: profiles round, and adapt to D50, differently */
  return colorant && fabs(colorant->X - want[0]) < 1.0 / TOLERANCE &&
         fabs(colorant->Y - want[1]) < 1.0 / TOLERANCE &&
         fabs(colorant->Z - want[2]) < 1.0 / TOLERANCE;
}

/* A profile is known by what it does, not by its name: three colorants and three curves. */
static bool is_srgb(cmsHPROFILE profile) {
  static const struct {
    cmsTagSignature colorant, curve;
    double xyz[3]; /* adapted to D50 */
  } primaries[] = {
      {cmsSigRedColorantTag, cmsSigRedTRCTag, {0.43607, 0.22249, 0.01392}},
      {cmsSigGreenColorantTag, cmsSigGreenTRCTag, {0.38515, 0.71687, 0.09708}},
      {cmsSigBlueColorantTag, cmsSigBlueTRCTag, {0.14307, 0.06061, 0.71410}},
  };
  if (cmsIsTag(profile, cmsSigAToB0Tag) || cmsIsTag(profile, cmsSigAToB1Tag))
    return false;
  for (int i = 0; i < 3; i++)
    if (!is_near(cmsReadTag(profile, primaries[i].colorant), primaries[i].xyz) ||
        !is_srgb_curve(cmsReadTag(profile, primaries[i].curve)))
      return false;
  return true;
}

/* ---- Profiles ---- */

static cmsHPROFILE of_icc(cmsContext context, const colour_space *space) {
  static const cmsTagSignature pipelines[] = {cmsSigDToB0Tag, cmsSigDToB1Tag, cmsSigDToB2Tag,
                                              cmsSigDToB3Tag};
  if (space->n > COLOUR_MOST_PROFILE)
    return NULL;
  cmsHPROFILE profile = cmsOpenProfileFromMemTHR(context, space->icc, (cmsUInt32Number)space->n);
  for (size_t i = 0; profile && i < sizeof pipelines / sizeof *pipelines; i++)
    if (cmsIsTag(profile, pipelines[i]))
      cmsWriteTag(profile, pipelines[i], NULL);
  return profile;
}

static const double srgb_chromaticity[8] = {0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06};

/* gAMA and cHRM say no more than sRGB does? They are rounded, and gamma 1/2.2 is written for it. */
static bool says_srgb(const colour_space *space, const double chromaticity[8]) {
  for (int i = 0; i < 8; i++)
    if (fabs(chromaticity[i] - srgb_chromaticity[i]) > 0.01)
      return false;
  return fabs(space->gamma * 2.2 - 1) < 0.05;
}

static cmsHPROFILE of_numbers(cmsContext context, const colour_space *space) {
  const double *xy = space->chromaticity;
  if (xy[0] == 0)
    xy = srgb_chromaticity;
  if (says_srgb(space, xy))
    return NULL;
  const cmsCIExyY white = {xy[0], xy[1], 1};
  const cmsCIExyYTRIPLE primaries = {{xy[2], xy[3], 1}, {xy[4], xy[5], 1}, {xy[6], xy[7], 1}};
  cmsToneCurve *curve = cmsBuildGamma(context, 1 / space->gamma);
  if (!curve)
    return NULL;
  cmsToneCurve *const curves[] = {curve, curve, curve};
  cmsHPROFILE profile = cmsCreateRGBProfileTHR(context, &white, &primaries, curves);
  cmsFreeToneCurve(curve);
  return profile;
}

/* sRGB as a profile of version 2: for one of version 4 lcms compensates black. */
static cmsHPROFILE srgb_profile(cmsContext context) {
  cmsHPROFILE srgb = cmsCreate_sRGBProfileTHR(context);
  if (srgb)
    cmsSetProfileVersion(srgb, 2.1);
  return srgb;
}

/* lcms's word for how pixels lie, or 0 where a profile of that colour space does not fit them. */
static cmsUInt32Number layout_of(cmsColorSpaceSignature space, colour_kind kind, int channels) {
  switch (space) {
  case cmsSigCmykData:
    return kind == COLOUR_CMYK ? TYPE_CMYK_8_REV : 0;
  case cmsSigGrayData:
    return kind == COLOUR_GREY ? TYPE_GRAY_8 : 0;
  case cmsSigRgbData:
    if (kind == COLOUR_CMYK)
      return 0;
    return channels == 4 ? TYPE_RGBA_8 : TYPE_RGB_8;
  default:
    return 0;
  }
}

typedef struct conversion {
  cmsHTRANSFORM transform; /* NULL: there is nothing to convert */
  bool grey;               /* it takes one byte a pixel */
} conversion;

static conversion make_conversion(cmsContext context, const colour_space *space, colour_kind kind,
                                  int channels) {
  conversion c = {0};
  cmsHPROFILE from = space->icc ? of_icc(context, space) : of_numbers(context, space);
  if (!from)
    return c;
  const cmsColorSpaceSignature colours = cmsGetColorSpace(from);
  const cmsUInt32Number layout = layout_of(colours, kind, channels);
  cmsHPROFILE srgb = NULL;
  if (layout && !is_srgb(from))
    srgb = srgb_profile(context);
  if (srgb) {
    c.grey = colours == cmsSigGrayData;
    const cmsUInt32Number out = layout == TYPE_RGBA_8 ? TYPE_RGBA_8 : TYPE_RGB_8;
    c.transform = cmsCreateTransformTHR(context, from, layout, srgb, out, INTENT_PERCEPTUAL,
                                        cmsFLAGS_NOCACHE);
    cmsCloseProfile(srgb);
  }
  cmsCloseProfile(from);
  return c;
}

/* ---- Pixels ---- */

static void convert_grey(const conversion *c, uint8_t *pixels, size_t n, int channels) {
  uint8_t levels[256], colours[256][3];
  for (int i = 0; i < 256; i++)
    levels[i] = (uint8_t)i;
  cmsDoTransform(c->transform, levels, colours, 256);
  for (size_t i = 0; i < n; i++, pixels += channels)
    memcpy(pixels, colours[pixels[0]], 3);
}

/* By blocks, so that what is written never lies over what is still to be read. */
static void convert_ink(const conversion *c, uint8_t *pixels, size_t n) {
  uint8_t block[3 * BLOCK];
  for (size_t at = 0; at < n; at += BLOCK) {
    const size_t count_now = min_size(BLOCK, n - at);
    cmsDoTransform(c->transform, pixels + 4 * at, block, (cmsUInt32Number)count_now);
    memcpy(pixels + 3 * at, block, 3 * count_now);
  }
}

static void multiply_ink(uint8_t *pixels, size_t n) {
  const uint8_t *cmyk = pixels;
  uint8_t *rgb = pixels;
  for (size_t i = 0; i < n; i++, cmyk += 4, rgb += 3) {
    const uint32_t key = cmyk[3];
    for (int channel = 0; channel < 3; channel++) {
      const uint32_t product = cmyk[channel] * key + 128;
      rgb[channel] = (uint8_t)((product + (product >> 8)) >> 8); /* / 255, rounded */
    }
  }
}

static void convert(const conversion *c, colour_kind kind, uint8_t *pixels, size_t n,
                    int channels) {
  if (kind == COLOUR_CMYK) {
    if (c->transform)
      convert_ink(c, pixels, n);
    else
      multiply_ink(pixels, n);
    return;
  }
  if (!c->transform)
    return;
  if (c->grey) {
    convert_grey(c, pixels, n, channels);
    return;
  }
  const size_t step = (size_t)channels;
  for (size_t at = 0; at < n; at += BLOCK)
    cmsDoTransform(c->transform, pixels + step * at, pixels + step * at,
                   (cmsUInt32Number)min_size(BLOCK, n - at));
}

cam_code colour_to_srgb(const colour_space *space, colour_kind kind, uint8_t *pixels, size_t n,
                        int channels, size_t budget, cam_error *error) {
  conversion c = {0};
  if (!space->icc && space->gamma <= 0) {
    convert(&c, kind, pixels, n, channels);
    return CAM_OK;
  }
  const size_t needed = colour_work_bytes(space->n);
  cmsContext context = open_context(min_size(needed, budget));
  if (context)
    c = make_conversion(context, space, kind, channels);
  const bool out_of_memory = memory.out_of_memory, over_budget = memory.refused && budget < needed;
  if (!out_of_memory && !over_budget)
    convert(&c, kind, pixels, n, channels);
  if (c.transform)
    cmsDeleteTransform(c.transform);
  if (context)
    cmsDeleteContext(context);
  if (out_of_memory)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory to convert the photo's colours");
  if (over_budget)
    return cam_fail(error, CAM_E_BUDGET,
                    "converting its colours needs %zu bytes of memory; allowed are %zu", needed,
                    budget);
  return CAM_OK;
}
