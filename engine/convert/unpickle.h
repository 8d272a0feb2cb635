/* unpickle.h - a Python pickle as a tree of plain data. Flow: file of weights -> [unpickle] -> npy,
 * pth -> join.
 *
 * A pickle is a program for a stack machine that can call anything in Python. This one knows the
 * opcodes (a table in unpickle.c) and the few names (a table in pickle_globals.c) that NumPy arrays
 * and PyTorch state dicts consist of, turns each into data and refuses every other one by name.
 * Nothing is run or imported. Stack, marks, nesting, memo and memory are bounded. Protocols 2 to 5,
 * by Python 2 or 3. Machine and opcodes:
 * https://github.com/python/cpython/blob/3.11/Lib/pickletools.py */
#ifndef UNPICKLE_H
#define UNPICKLE_H
#include "pickle_value.h"

/* Reads one pickle from bytes[0..n), which must live as long as the tree; *used is how many of them
 * it took. Everything is from the arena. CAM_E_WEIGHTS naming byte and opcode or global. Values may
 * be shared and, in a hostile file, contain themselves: walk to a fixed depth. */
cam_code unpickle(arena *from, const uint8_t *bytes, size_t n, size_t *used,
                  const pickle_value **out, cam_error *error);

#endif
