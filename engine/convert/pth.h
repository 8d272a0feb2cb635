/* pth.h - PyTorch state dicts. Readers (weights_read.c): all->file is read, what it holds is added.
 */
#ifndef PTH_H
#define PTH_H
#include "weights.h"

/* Before 1.6: pickles in a row, then the numbers. */
cam_code pth_read_legacy(weights *all, cam_error *error);
/* Since 1.6: an archive. */
cam_code pth_read_zip(weights *all, cam_error *error);

#endif
