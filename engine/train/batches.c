/* batches.c - batches.h. Photos are drawn in an order; each goes into the open batch of its shape,
 * which leaves when it is full, and what is open in the end leaves as it is. */
#include "batches.h"
#include "cam_minmax.h"
#include <stdlib.h>
#include <string.h>

static uint64_t draw(uint64_t *state) { /* splitmix64 (Steele, Lea, Flood, 2014) */
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static void shuffle_members(int *members, int n, uint64_t *state) {
  for (int i = n - 1; i > 0; i--) {
    const int k = (int)(draw(state) % (uint64_t)(i + 1)), kept = members[i];
    members[i] = members[k];
    members[k] = kept;
  }
}

/* ---- the order ---- */

/* Members of each class one after another; ends[c] is where those of class c end. */
static void sort_by_class(const batch_plan *plan, int *members, int *ends) {
  int n = 0;
  for (int c = 0; c < plan->classes; c++) {
    for (int i = 0; i < plan->n_members; i++)
      if (plan->list[plan->members[i]].class_id == c)
        members[n++] = plan->members[i];
    ends[c] = n;
  }
}

static int largest_class(const int *ends, int classes) {
  int most = ends[0];
  for (int c = 1; c < classes; c++)
    most = max_int(most, ends[c] - ends[c - 1]);
  return most;
}

/* As many of each class that has any as the largest has; for free(). NULL: no memory. */
static int *draw_balanced(const batch_plan *plan, int *n, uint64_t *state) {
  int *members = malloc(((size_t)plan->n_members + 1) * sizeof *members);
  int *ends = calloc((size_t)plan->classes + 1, sizeof *ends), *order = NULL;
  *n = 0;
  if (members && ends) {
    sort_by_class(plan, members, ends);
    const int most = largest_class(ends, plan->classes);
    order = malloc((size_t)plan->classes * (size_t)most * sizeof *order + 1);
    for (int c = 0, begin = 0; order && c < plan->classes; begin = ends[c++]) {
      const int count = ends[c] - begin;
      for (int i = 0; count && i < most; i++) {
        if (i % count == 0)
          shuffle_members(members + begin, count, state);
        order[(*n)++] = members[begin + i % count];
      }
    }
  }
  free(members);
  free(ends);
  return order;
}

static int *draw_all(const batch_plan *plan, int *n) {
  int *order = malloc(((size_t)plan->n_members + 1) * sizeof *order);
  *n = plan->n_members;
  if (order)
    memcpy(order, plan->members, (size_t)*n * sizeof *order);
  return order;
}

/* ---- batches ---- */

typedef struct open_batch {
  int n;
  sample_view *views; /* [plan.size] */
} open_batch;

typedef struct dealing {
  const batch_plan *plan;
  batches *out;
  int given; /* views that have left */
  int n_open;
  open_batch *open;
} dealing;

static bool same_shape(const dealing *d, int a, int b) {
  const int *one = samples_shape(d->plan->from, a, d->plan->kind);
  const int *other = samples_shape(d->plan->from, b, d->plan->kind);
  return one[0] == other[0] && one[1] == other[1];
}

static void leave_batch(dealing *d, open_batch *batch) {
  memcpy(d->out->views + d->given, batch->views, (size_t)batch->n * sizeof *batch->views);
  d->given += batch->n;
  d->out->begin[++d->out->n] = d->given;
  batch->n = 0;
}

/* The batch that a photo belongs in; an empty one's views are of its last shape. NULL: no memory.
 */
static open_batch *batch_of(dealing *d, int sample) {
  for (int i = 0; i < d->n_open; i++)
    if (same_shape(d, d->open[i].views[0].sample, sample))
      return &d->open[i];
  open_batch *open = realloc(d->open, ((size_t)d->n_open + 1) * sizeof *open);
  if (!open)
    return NULL;
  d->open = open;
  open[d->n_open] = (open_batch){0, malloc((size_t)d->plan->size * sizeof(sample_view))};
  if (!open[d->n_open].views)
    return NULL;
  return &open[d->n_open++];
}

static cam_code deal(dealing *d, const int *order, int n, uint64_t *state, cam_error *error) {
  for (int i = 0; i < n; i++) {
    open_batch *batch = batch_of(d, order[i]);
    if (!batch)
      return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a batch");
    const bool mirrored = d->plan->flip && draw(state) & 1;
    batch->views[batch->n++] = (sample_view){order[i], mirrored};
    if (batch->n == d->plan->size)
      leave_batch(d, batch);
  }
  for (int i = 0; i < d->n_open; i++)
    if (d->open[i].n)
      leave_batch(d, &d->open[i]);
  return CAM_OK;
}

cam_code batches_make(const batch_plan *plan, int epoch, batches *out, cam_error *error) {
  uint64_t state = plan->seed * 0x2545f4914f6cdd1d + (uint64_t)epoch;
  int n, *order;
  *out = (batches){0};
  if (plan->balance)
    order = draw_balanced(plan, &n, &state);
  else
    order = draw_all(plan, &n);
  out->views = malloc(((size_t)n + 1) * sizeof *out->views);
  out->begin = calloc((size_t)n + 2, sizeof *out->begin);
  dealing d = {.plan = plan, .out = out};
  cam_code code = CAM_OK;
  if (!order || !out->views || !out->begin)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d photos in batches", n);
  if (!code && plan->shuffle)
    shuffle_members(order, n, &state);
  if (!code)
    code = deal(&d, order, n, &state, error);
  for (int i = 0; i < d.n_open; i++)
    free(d.open[i].views);
  free(d.open);
  free(order);
  return code;
}

void batches_free(batches *b) {
  free(b->begin);
  free(b->views);
  *b = (batches){0};
}
