/* blas.c - blas.h over OpenBLAS. */
#include "blas.h"
#include "cam_engine.h"
#include <cblas.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* OpenBLAS calls this while it is loaded, before main(), to learn how many threads the environment
 * asks for. The program's function takes the place of its own, so that it starts no thread. (One
 * that it starts would first allocate a buffer, try for ever where memory is limited by ulimit -v,
 * and be waited for at exit.) */
int openblas_num_threads_env(void);
int openblas_num_threads_env(void) { return 1; }

/* Each call of OpenBLAS that is going on has a buffer, which it keeps for the next. The one place
 * where it can fail, it does not: without memory it tries again for ever. So the buffers are made
 * beforehand, after a look whether they can be. Untouched, they are addresses and no memory. */
void *blas_memory_alloc(int unused); /* OpenBLAS's, in no header of its own */
void blas_memory_free(void *buffer);
enum { BUFFERS_MOST = 128 };
static const size_t buffer_bytes = (size_t)136 << 20; /* at least as many as OpenBLAS asks for */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards both below */
static int reserved, made;

/* Holding as many at once as there may be is what makes them. The look is for all of them, since
 * those that are there may be in use. Called with the mutex held. */
static bool make_buffers(int n) {
  void *held[BUFFERS_MOST];
  int there = 0;
  while (there < n && (held[there] = malloc(buffer_bytes)))
    there++;
  for (int i = 0; i < there; i++)
    free(held[i]);
  if (there < n)
    return false;
  for (int i = 0; i < n; i++)
    held[i] = blas_memory_alloc(0);
  for (int i = 0; i < n; i++)
    blas_memory_free(held[i]);
  made = n;
  return true;
}

cam_code blas_reserve(int threads, cam_error *error) {
  pthread_mutex_lock(&mutex);
  const int n = reserved + threads < BUFFERS_MOST ? reserved + threads : BUFFERS_MOST;
  const bool there = n <= made || make_buffers(n);
  if (there)
    reserved += threads;
  pthread_mutex_unlock(&mutex);
  if (there)
    return CAM_OK;
  return cam_fail(error, CAM_E_NO_MEMORY, "no memory for OpenBLAS: %d buffers of %zu MiB", n,
                  buffer_bytes >> 20);
}

void blas_release(int threads) {
  pthread_mutex_lock(&mutex);
  reserved -= threads;
  pthread_mutex_unlock(&mutex);
}

void blas_init(void) { openblas_set_num_threads(1); }

void blas_matrix_vector(int rows, int columns, const float *matrix, int stride, const float *x,
                        float *y) {
  cblas_sgemv(CblasRowMajor, CblasNoTrans, rows, columns, 1, matrix, stride, x, 1, 0, y, 1);
}

void blas_vector_matrix(int rows, int columns, const float *matrix, int stride, const float *x,
                        float *y) {
  cblas_sgemv(CblasRowMajor, CblasTrans, rows, columns, 1, matrix, stride, x, 1, 0, y, 1);
}

static CBLAS_TRANSPOSE transpose_of(blas_matrix m) {
  if (m.order == BLAS_TRANSPOSED)
    return CblasTrans;
  return CblasNoTrans;
}

void blas_product(int m, int n, int k, blas_matrix a, blas_matrix b, float beta, float *c,
                  int c_stride) {
  cblas_sgemm(CblasRowMajor, transpose_of(a), transpose_of(b), m, n, k, 1, a.at, a.stride, b.at,
              b.stride, beta, c, c_stride);
}

void blas_rows_by_rows(int n, int m, int depth, const double *a, const double *b, double *out) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, m, depth, 1, a, depth, b, depth, 0, out,
              m);
}

void blas_add_columns_by_columns(int n, int m, int depth, const double *a, const double *b,
                                 double *out) {
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, m, depth, 1, a, n, b, m, 1, out, m);
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
