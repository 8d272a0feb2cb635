/* blas.h - the products that have no kernel of their own, over OpenBLAS, which only blas.c names:
 * of matrix and vector, and those of training. Any thread; one thread a call. */
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

/* c[m,n] = a * b + beta * c, a [m,k] and b [k,n], each as it is or as the transpose of what lies
 * there; strides are of the rows as they lie. The same sizes give the same bits. */
typedef enum blas_order { BLAS_AS_IS, BLAS_TRANSPOSED } blas_order;
typedef struct blas_matrix {
  const float *at;
  int stride;
  blas_order order;
} blas_matrix;
void blas_product(int m, int n, int k, blas_matrix a, blas_matrix b, float beta, float *c,
                  int c_stride);

/* In double, without gaps between rows. out[n,m] = a[n,depth] * b[m,depth]^T */
void blas_rows_by_rows(int n, int m, int depth, const double *a, const double *b, double *out);
/* out[n,m] += a[depth,n]^T * b[depth,m] */
void blas_add_columns_by_columns(int n, int m, int depth, const double *a, const double *b,
                                 double *out);

#endif
