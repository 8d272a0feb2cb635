/* blas.c - blas.h over OpenBLAS. */
#include "blas.h"
#include "cam_engine.h"
#include <cblas.h>
#include <string.h>

void blas_init(void) { openblas_set_num_threads(1); }

void blas_matrix_vector(int rows, int columns, const float *matrix, int stride, const float *x, float *y) {
  cblas_sgemv(CblasRowMajor, CblasNoTrans, rows, columns, 1, matrix, stride, x, 1, 0, y, 1);
}

void blas_vector_matrix(int rows, int columns, const float *matrix, int stride, const float *x, float *y) {
  cblas_sgemv(CblasRowMajor, CblasTrans, rows, columns, 1, matrix, stride, x, 1, 0, y, 1);
}

const char *cam_openblas_version(void) {
  static char version[32]; /* "OpenBLAS 0.3.21 NO_LAPACKE ..." -> "0.3.21"; every thread would write the same */
  static const char *volatile ready;
  if (!ready) {
    const char *config = openblas_get_config(), *number = config + strcspn(config, "0123456789");
    size_t n = strspn(number, "0123456789.");
    memcpy(version, number, n < sizeof version ? n : 0);
    ready = version;
  }
  return ready;
}
