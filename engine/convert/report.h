/* report.h - what `camserve convert` tells people while it works. Any thread. */
#ifndef REPORT_H
#define REPORT_H
#include "cam_convert.h"

/* A line, if the options have somebody to tell. */
void report(const cam_convert_options *options, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
