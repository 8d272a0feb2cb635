/* blas.h - the products of matrix and vector, which have no kernel of their own, over OpenBLAS,
 * which only blas.c names. Any thread; one thread a call. */
#ifndef BLAS_H
#define BLAS_H
#include "cam_error.h"

/* Once, before any thread starts. */
void blas_init(void);
/* So many threads more may be in the functions below at once: makes what OpenBLAS needs for that.
 * CAM_E_NO_MEMORY: it cannot be had, and the functions must not be called. It is kept for good. */
cam_code blas_reserve(int threads, cam_error *error);
/* They are in there no more. */
void blas_release(int threads);
/* y[rows] = matrix[rows, stride >= columns] * x[columns] */
void blas_matrix_vector(int rows, int columns, const float *matrix, int stride, const float *x,
                        float *y);

/* y[columns] = x[rows] * matrix[rows, stride >= columns] */
void blas_vector_matrix(int rows, int columns, const float *matrix, int stride, const float *x,
                        float *y);

#endif
