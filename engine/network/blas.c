/* blas.c - blas.h over OpenBLAS. */
#include "blas.h"
#include "cam_engine.h"
#include <cblas.h>
#include <pthread.h>
#include <string.h>

void blas_init(void) { openblas_set_num_threads(1); }

void blas_matrix_vector(int rows, int columns, const float *matrix, int stride, const float *x,
                        float *y) {
  cblas_sgemv(CblasRowMajor, CblasNoTrans, rows, columns, 1, matrix, stride, x, 1, 0, y, 1);
}

void blas_vector_matrix(int rows, int columns, const float *matrix, int stride, const float *x,
                        float *y) {
  cblas_sgemv(CblasRowMajor, CblasTrans, rows, columns, 1, matrix, stride, x, 1, 0, y, 1);
}

static char version[32];
static void find_version(void) { /* "OpenBLAS 0.3.21 NO_LAPACKE ..." -> "0.3.21" */
  const char *config = openblas_get_config(), *number = config + strcspn(config, "0123456789");
  size_t n = strspn(number, "0123456789.");
  if (n < sizeof version)
    memcpy(version, number, n);
}

const char *cam_openblas_version(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, find_version);
  return version;
}
