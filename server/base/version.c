/* version.c - the one file that the Makefile compiles with the version and the commit. */
#include "version.h"

const char *const cam_version = CAM_VERSION;
const char *const cam_commit = CAM_COMMIT;
