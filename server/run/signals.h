/* signals.h - the process's signals as events for the one thread that waits for them. Implemented
 * in server/run/signals.c. */
#ifndef SIGNALS_H
#define SIGNALS_H
#include <stdbool.h>

/* END: SIGTERM, SIGINT, or the terminal is gone (under nohup(1) that is nothing). RELOAD: SIGHUP by
 * kill(2). TOLD: signals_tell. */
enum { SIGNALS_END = 1, SIGNALS_RELOAD = 2, SIGNALS_TOLD = 4 };

/* From here on the three signals are events; a second SIGTERM or SIGINT ends the process at once
 * with exit code 1. Threads made by this one until signals_wait are not interrupted by them. False:
 * no descriptor is left. Once a process. */
bool signals_open(void);
/* Waits for events: their bits, each event once however often it came; 0: none came in so many
 * milliseconds. */
unsigned signals_wait(int ms);
/* Any thread. */
void signals_tell(void);

#endif
