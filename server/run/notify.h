/* notify.h - what the service tells the manager that started it (sd_notify(3)): that it is ready,
 * reloads, ends. Implemented in server/run/notify.c. Thread: main. */
#ifndef NOTIFY_H
#define NOTIFY_H
#include "cam_error.h"

/* Connects to where NOTIFY_SOCKET leads, before the filter of system calls is on; not set: nobody
 * asked, and all of these do nothing. CAM_E_IO: it leads nowhere. */
cam_code notify_open(cam_error *error);
void notify_ready(const char *status); /* one line for people */
void notify_reloading(void);           /* until notify_ready */
void notify_stopping(void);
void notify_close(void);

#endif
