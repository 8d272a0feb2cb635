/* trainer_state.c - trainer_state.h: a head, then the arrays as they lie in memory. */
#include "trainer_state.h"
#include <string.h>

typedef struct state_head {
  char magic[8];
  uint64_t print; /* of the tensors' names and shapes */
  uint64_t count, arrays, steps;
} state_head;

/* FNV-1a. */
static uint64_t print_on(uint64_t print, const void *bytes, size_t n) {
  for (size_t i = 0; i < n; i++)
    print = (print ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
  return print;
}

static uint64_t print_of(const parameters *set) {
  uint64_t print = UINT64_C(0xcbf29ce484222325);
  for (int i = 0; i < set->n; i++) {
    const cam_tensor *tensor = set->list[i].tensor;
    print = print_on(print, tensor->name, strlen(tensor->name) + 1);
    print = print_on(print, tensor->shape, (size_t)tensor->rank * sizeof *tensor->shape);
  }
  return print;
}

static state_head head_of(const trainer_state *s) {
  return (state_head){"camtrain", print_of(s->set), s->set->count, (uint64_t)s->n, *s->steps};
}

static size_t array_bytes(const trainer_state *s) { return s->set->count * sizeof(float); }

size_t state_bytes(const trainer_state *s) {
  return sizeof(state_head) + (size_t)s->n * array_bytes(s);
}

void state_save(const trainer_state *s, void *out) {
  const state_head head = head_of(s);
  char *to = out;
  memcpy(to, &head, sizeof head);
  to += sizeof head;
  for (int i = 0; i < s->n; i++, to += array_bytes(s))
    memcpy(to, s->arrays[i], array_bytes(s));
}

static bool has_finite_floats(const char *floats, size_t n) {
  float value, odd = 0; /* what is not finite times 0 is NaN */
  for (size_t i = 0; i < n; i++) {
    memcpy(&value, floats + i * sizeof value, sizeof value);
    odd += value * 0;
  }
  return odd == 0;
}

cam_code state_load(const trainer_state *s, const char *what, const void *from, size_t bytes,
                    cam_error *error) {
  const state_head wanted = head_of(s);
  state_head head = {0};
  if (bytes >= sizeof head)
    memcpy(&head, from, sizeof head);
  if (memcmp(head.magic, wanted.magic, sizeof head.magic) || head.print != wanted.print ||
      head.count != wanted.count || head.arrays != wanted.arrays)
    return cam_fail(error, CAM_E_MODEL, "not the state of a training of %s as it is asked for",
                    what);
  if (bytes != state_bytes(s))
    return cam_fail(error, CAM_E_MODEL, "the state of training is cut off: %zu bytes of %zu", bytes,
                    state_bytes(s));
  const char *arrays = (const char *)from + sizeof head;
  if (!has_finite_floats(arrays, (size_t)s->n * s->set->count))
    return cam_fail(error, CAM_E_MODEL, "the state of training has a number that is not finite");
  for (int i = 0; i < s->n; i++)
    memcpy(s->arrays[i], arrays + (size_t)i * array_bytes(s), array_bytes(s));
  *s->steps = head.steps;
  return CAM_OK;
}
