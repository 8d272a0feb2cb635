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
#include "cam_clock.h"
#include "cam_minmax.h"
#include <lcms2.h>
#include <lcms2_plugin.h>
#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
  BLOCK = 1024,          /* pixels that are converted at a time */
  FIXED_BYTES = 2 << 20, /* context, curves, and the table of 17^4 or 33^3 points that lcms makes */
  PER_PROFILE_BYTE = 8,  /* a table of 8 bits is kept in 16, and copied while it is linked */
};

/* ---- Memory ----
 * lcms2 goes on where it gets none, and falls over: it uses a mutex that it could not make. So it
 * is left by a jump instead, and all that it has is freed from a list. The one thing of it that is
 * not memory of ours is the context's place in a list of the library's, which is given back as
 * usual; while the context is made, nothing jumps, and there NULL is understood. No memory is asked
 * for while the library holds a lock that others wait for. */

typedef struct block {
  struct block *next, **link; /* link: what points to this one */
  size_t size;                /* with this header */
  _Alignas(max_align_t) uint8_t bytes[];
} block;

static _Thread_local struct {
  block *first;
  size_t used, limit;
  bool refused, out_of_memory; /* there was a limit; there was none to be had */
  jmp_buf *back;               /* where to go then; NULL: nowhere */
} memory;

static void *out_of_memory(void) {
  if (memory.back)
    longjmp(*memory.back, 1);
  return NULL;
}

static void *lcms_malloc(cmsContext context, cmsUInt32Number n) {
  (void)context;
  const size_t size = sizeof(block) + n;
  if (memory.used > memory.limit || size > memory.limit - memory.used) {
    memory.refused = true;
    return out_of_memory();
  }
  block *new = malloc(size);
  if (!new) {
    memory.out_of_memory = true;
    return out_of_memory();
  }
  *new = (block){.next = memory.first, .link = &memory.first, .size = size};
  if (new->next)
    new->next->link = &new->next;
  memory.first = new;
  memory.used += size;
  return new->bytes;
}

static void lcms_free(cmsContext context, void *bytes) {
  (void)context;
  if (!bytes)
    return;
  block *old = (block *)(void *)((uint8_t *)bytes - offsetof(block, bytes));
  *old->link = old->next;
  if (old->next)
    old->next->link = old->link;
  memory.used -= old->size;
  free(old);
}

static void *lcms_realloc(cmsContext context, void *bytes, cmsUInt32Number n) {
  void *moved = lcms_malloc(context, n);
  if (!moved || !bytes)
    return moved;
  const block *old = (const block *)(const void *)((uint8_t *)bytes - offsetof(block, bytes));
  memcpy(moved, bytes, min_size(n, old->size - sizeof(block)));
  lcms_free(context, bytes);
  return moved;
}

/* A context is one thread's, and has nothing to lock. (A mutex that is left by a jump stays
 * locked.)
 */
static char no_mutex;
static void *make_no_mutex(cmsContext context) {
  (void)context;
  return &no_mutex;
}
static void drop_no_mutex(cmsContext context, void *mutex) {
  (void)context;
  (void)mutex;
}
static cmsBool lock_nothing(cmsContext context, void *mutex) {
  (void)context;
  (void)mutex;
  return TRUE;
}

static cmsContext open_context(size_t limit) {
  cmsPluginMutex unlocked = {
      .base = {cmsPluginMagicNumber, 2060, cmsPluginMutexSig, NULL},
      .CreateMutexPtr = make_no_mutex,
      .DestroyMutexPtr = drop_no_mutex,
      .LockMutexPtr = lock_nothing,
      .UnlockMutexPtr = drop_no_mutex,
  };
  cmsPluginMemHandler counted = {
      .base = {cmsPluginMagicNumber, 2060, cmsPluginMemHandlerSig, &unlocked.base},
      .MallocPtr = lcms_malloc,
      .FreePtr = lcms_free,
      .ReallocPtr = lcms_realloc,
  };
  memset(&memory, 0, sizeof memory);
  memory.limit = limit;
  return cmsCreateContext(&counted, NULL);
}

static void close_context(cmsContext context) {
  if (context)
    cmsDeleteContext(context);
  while (memory.first)
    lcms_free(NULL, memory.first->bytes);
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
    return kind == COLOUR_GREY ? TYPE_GRAY_FLT : 0;
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
  bool grey;               /* it takes one float a pixel and gives three */
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
    cmsUInt32Number out = TYPE_RGB_8;
    if (c.grey)
      out = TYPE_RGB_FLT;
    else if (layout == TYPE_RGBA_8)
      out = TYPE_RGBA_8;
    c.transform = cmsCreateTransformTHR(context, from, layout, srgb, out, INTENT_PERCEPTUAL,
                                        cmsFLAGS_NOCACHE);
    cmsCloseProfile(srgb);
  }
  cmsCloseProfile(from);
  return c;
}

/* ---- Pixels ---- */

/* In floats: a table of 8 bits is coarse where sRGB is steep, near black. */
static void convert_grey(const conversion *c, uint8_t *pixels, size_t n, int channels) {
  float levels[256], colours[256][3];
  uint8_t table[256][3];
  for (int i = 0; i < 256; i++)
    levels[i] = (float)i / 255;
  cmsDoTransform(c->transform, levels, colours, 256);
  for (int i = 0; i < 256; i++)
    for (int channel = 0; channel < 3; channel++)
      table[i][channel] = (uint8_t)lrintf(255 * fminf(fmaxf(colours[i][channel], 0), 1));
  for (size_t i = 0; i < n; i++, pixels += channels)
    memcpy(pixels, table[pixels[0]], 3);
}

/* Looked at every so many blocks. */
static bool is_late(double deadline, size_t at) {
  enum { BLOCKS_A_LOOK = 64 };
  return deadline > 0 && at % (BLOCKS_A_LOOK * BLOCK) == 0 && clock_seconds() >= deadline;
}

/* By blocks, so that what is written never lies over what is still to be read. False: it is late.
 */
static bool convert_ink(const conversion *c, uint8_t *pixels, size_t n, double deadline) {
  uint8_t converted[3 * BLOCK];
  for (size_t at = 0; at < n; at += BLOCK) {
    if (is_late(deadline, at))
      return false;
    const size_t count_now = min_size(BLOCK, n - at);
    cmsDoTransform(c->transform, pixels + 4 * at, converted, (cmsUInt32Number)count_now);
    memcpy(pixels + 3 * at, converted, 3 * count_now);
  }
  return true;
}

static bool convert_colours(const conversion *c, uint8_t *pixels, size_t n, int channels,
                            double deadline) {
  const size_t step = (size_t)channels;
  for (size_t at = 0; at < n; at += BLOCK) {
    if (is_late(deadline, at))
      return false;
    cmsDoTransform(c->transform, pixels + step * at, pixels + step * at,
                   (cmsUInt32Number)min_size(BLOCK, n - at));
  }
  return true;
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

/* False: it is late, and the pixels are in between. */
static bool convert(const conversion *c, colour_kind kind, uint8_t *pixels, size_t n, int channels,
                    double deadline) {
  if (!c->transform) {
    if (kind == COLOUR_CMYK)
      multiply_ink(pixels, n);
    return true;
  }
  if (kind == COLOUR_CMYK)
    return convert_ink(c, pixels, n, deadline);
  if (!c->grey)
    return convert_colours(c, pixels, n, channels, deadline);
  convert_grey(c, pixels, n, channels);
  return true;
}

typedef struct work {
  const colour_space *space;
  colour_kind kind;
  uint8_t *pixels;
  size_t n;
  int channels;
  bool begun; /* to change pixels */
  bool late;
} work;

/* All with lcms in it. False where it was left for want of memory; what it had is in the list. */
static bool work_in(cmsContext context, work *w) {
  jmp_buf back;
  memory.back = &back;
  if (!setjmp(back)) {
    const conversion c = make_conversion(context, w->space, w->kind, w->channels);
    w->begun = true;
    w->late = !convert(&c, w->kind, w->pixels, w->n, w->channels, w->space->deadline);
    if (c.transform)
      cmsDeleteTransform(c.transform);
  }
  memory.back = NULL;
  return !memory.refused && !memory.out_of_memory;
}

cam_code colour_to_srgb(const colour_space *space, colour_kind kind, uint8_t *pixels, size_t n,
                        int channels, size_t budget, cam_error *error) {
  const conversion none = {0};
  if (!space->icc && space->gamma <= 0) {
    convert(&none, kind, pixels, n, channels, 0);
    return CAM_OK;
  }
  work w = {space, kind, pixels, n, channels, false, false};
  const size_t needed = colour_work_bytes(space->n);
  cmsContext context = open_context(min_size(needed, budget));
  memory.out_of_memory |= !context && !memory.refused; /* its own room is not asked for here */
  const bool done = context && work_in(context, &w);
  close_context(context);
  if (done && w.late)
    return cam_fail(error, CAM_E_DEADLINE, "the deadline passed while its colours were converted");
  if (done)
    return CAM_OK;
  if (memory.out_of_memory)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory to convert the photo's colours");
  if (budget < needed || w.begun)
    return cam_fail(error, CAM_E_BUDGET,
                    "converting its colours needs %zu bytes of memory; allowed are %zu", needed,
                    budget);
  convert(&none, kind, pixels, n, channels, 0); /* a profile that wants more than any good one */
  return CAM_OK;
}
