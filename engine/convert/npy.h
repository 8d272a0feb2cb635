/* npy.h - NumPy: a pickled dict of arrays in a .npy. A reader (weights_read.c): all->file is read,
 * what it holds is added. */
#ifndef NPY_H
#define NPY_H
#include "weights.h"

cam_code npy_read(weights *all, cam_error *error);
/* The same dict as a pickle alone. */
cam_code npy_read_pickle(weights *all, cam_error *error);

#endif
