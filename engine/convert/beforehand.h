/* beforehand.h - what convert can know to go wrong before its work, which may take long, begins.
 * Flow: options -> [beforehand] -> convert. One thread at a time. */
#ifndef BEFOREHAND_H
#define BEFOREHAND_H
#include "cam_convert.h"

/* unfinished: the path under which the output is written. CAM_E_IO naming what cannot be read or
 * written; CAM_E_PARAMETER: a file that is read would be written over; CAM_E_MODEL: no model can
 * have that name. Nothing is changed. */
cam_code beforehand_check(const cam_convert_options *options, const char *unfinished,
                          cam_error *error);

#endif
