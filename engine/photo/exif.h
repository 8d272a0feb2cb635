/* exif.h - the orientation tag (0x0112) of a photo, and only that. CIPA DC-008 (Exif 2.32),
 * TIFF 6.0. Bounds-checked, follows IFD0 only, loops on nothing. Thread: any. */
#ifndef EXIF_H
#define EXIF_H
#include <stddef.h>
#include <stdint.h>

/* Each: 1 to 8; 1 if there is none or it is damaged. */
int exif_orientation(const uint8_t *jpeg, size_t n);
/* What PNG (eXIf) and WebP (EXIF) have: from the byte order mark, or from "Exif\0\0" before it, as
 * some write (here as in JPEG, the second NUL may be another byte). */
int exif_of_tiff(const uint8_t *tiff, size_t n);

#endif
