/* version.h - what this binary is, set by the Makefile. Implemented in server/base/version.c. */
#ifndef VERSION_H
#define VERSION_H

extern const char *const cam_version; /* "1.2.3" */
extern const char *const cam_commit;  /* "8fd7a43", or "unknown" */

#endif
