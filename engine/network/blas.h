/* blas.h - the products of matrix and vector, which have no kernel of their own, over OpenBLAS,
 * which only blas.c names. Any thread; one thread a call. */
#ifndef BLAS_H
#define BLAS_H

/* Once, before any thread starts: OpenBLAS's own threads stay idle. */
void blas_init(void);
/* y[rows] = matrix[rows, stride >= columns] * x[columns] */
void blas_matrix_vector(int rows, int columns, const float *matrix, int stride, const float *x,
                        float *y);

/* y[columns] = x[rows] * matrix[rows, stride >= columns] */
void blas_vector_matrix(int rows, int columns, const float *matrix, int stride, const float *x,
                        float *y);

#endif
