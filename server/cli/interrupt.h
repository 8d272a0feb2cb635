/* interrupt.h - SIGINT, SIGTERM and SIGHUP for a command that has a line to finish: they are noted,
 * and whoever waits for input wakes up. A second one ends the process as always, unless the command
 * has asked for it. Implemented in
 * server/cli/interrupt.c. Thread: main opens, any other asks. */
#ifndef INTERRUPT_H
#define INTERRUPT_H
#include <stdbool.h>

/* From here on the three are noted, unless they were ignored when the process began (nohup, jobs in
 * the background), and a closed pipe, or a file that may not grow, is an error of write(2), not an
 * end. False: no descriptor is
 * left. Once a process. */
bool interrupt_open(void);
/* The signal that came, 0: none. */
int interrupt_signal(void);
/* From here on no signal has come, and the next one is noted again. */
void interrupt_again(void);
/* Waits until a descriptor can be read from, or has ended. False: a signal came. */
bool interrupt_wait(int descriptor);

#endif
