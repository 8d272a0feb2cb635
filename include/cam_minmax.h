/* cam_minmax.h - the smaller, the larger and the nearest of two numbers: the one spelling of it in
 * engine and server. Vectors have those of engine/network/kernels.c; NaN that must be ignored goes
 * to fmin and fmax. */
#ifndef MINMAX_H
#define MINMAX_H
#include <stddef.h>
#include <stdint.h>

static inline int min_int(int a, int b) { return a < b ? a : b; }
static inline int max_int(int a, int b) { return a > b ? a : b; }
static inline int64_t min_int64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max_int64(int64_t a, int64_t b) { return a > b ? a : b; }
static inline uint64_t min_uint64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_uint64(uint64_t a, uint64_t b) { return a > b ? a : b; }
static inline size_t min_size(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

/* b where either is NaN: one instruction, so that loops over lanes become wide. */
static inline float min_float(float a, float b) { return a < b ? a : b; }
static inline float max_float(float a, float b) { return a > b ? a : b; }

/* x, or the nearer end of low..high; low where the ends are crossed. */
static inline int clamp_int(int x, int low, int high) { return max_int(low, min_int(x, high)); }

#endif
