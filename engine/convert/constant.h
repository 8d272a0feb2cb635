/* constant.h - a tensor whose numbers are known while a network is converted: weights, and the
 * whole numbers that exporters compute shapes with. Memory is an arena's or the file's. One thread
 * at a time. */
#ifndef CONSTANT_H
#define CONSTANT_H
#include "arena.h"
#include "cam_error.h"
#include "number.h"

typedef struct constant {
  bool alike;                     /* all n numbers are real[0], the only one there */
  int rank;                       /* 0: one number */
  int64_t shape[NUMBER_MAX_RANK]; /* none negative */
  int64_t n;                      /* product of the shape */
  const float *real;              /* [n] or [1], or NULL: */
  const int64_t *whole;           /* [n], or NULL: */
  const char *type;               /* its numbers are of a type that is not read ("string") */
} constant;

enum { CONSTANT_MOST = 1 << 30 }; /* numbers of one constant */

/* The product of a shape into *n; false beyond CONSTANT_MOST, or if a side is negative. */
bool constant_count(const int64_t *shape, int rank, int64_t *n);
/* Room for the numbers of a constant that is being made; one of the two. */
typedef struct constant_room {
  float *real;
  int64_t *whole;
} constant_room;
/* A constant of that shape with room for its numbers, zero. NULL: no memory, or too many. */
constant *constant_new(arena *memory, int rank, const int64_t *shape, bool real,
                       constant_room *room);
/* One of that shape whose real numbers are all `value`; takes no room for them. */
constant *constant_alike(arena *memory, int rank, const int64_t *shape, double value);
/* Number `at` of `from` becomes number i; both are real, or both whole. */
void constant_copy(const constant_room *to, int64_t i, const constant *from, int64_t at);
/* A computed value becomes number i; a whole one is cut, and 0 beyond 9e18. */
void constant_put(const constant_room *to, int64_t i, double value);
double constant_at(const constant *c, int64_t i);
/* All n numbers as whole ones: false if it is real and one of them is not whole. */
bool constant_wholes(const constant *c, int most, int64_t *out, int *n);
/* As bytes that number_read() reads; real only. */
number_view constant_view(const constant *c);

#endif
