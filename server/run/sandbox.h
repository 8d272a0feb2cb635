/* sandbox.h - what the process may still ask of the kernel once it serves. Implemented in
 * server/run/sandbox.c, the one file that names libseccomp. Linux; elsewhere, and where the kernel
 * refuses, sandbox_enter says so and nothing has changed. */
#ifndef SANDBOX_H
#define SANDBOX_H
#include "cam_error.h"

/* For every thread that is made from here on, and for good: no program that it could start gains
 * privileges, and a crash writes no core file, which would hold the photos then in memory. Before
 * any thread is made. */
void sandbox_prepare(void);

/* Puts the filter of system calls on every thread of the process, also those made later; it cannot
 * be taken off. CAM_E_IO says why it could not be put on. Call it once all listeners, workers and
 * other files that are written to are open. */
cam_code sandbox_enter(cam_error *error);

#endif
