/* report.c - see report.h. */
#include "report.h"
#include <stdarg.h>
#include <stdio.h>

void report(const cam_convert_options *options, const char *format, ...) {
  char line[512];
  va_list arguments;
  if (!options->progress)
    return;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  options->progress(options->closure, line);
}
