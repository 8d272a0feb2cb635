/* made_training.c - made_training.h. */
#include "made_training.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void made_training_load(const made_model *model, made_training *out) {
  cam_error error = {0};
  const char *path = made_model_write(model);
  ck_assert_msg(!graph_load(path, &out->graph, &error), "%s", error.detail);
  unlink(path);
  ck_assert(!parameters_find(out->graph, GRAPH_INPUT, &out->set, NULL));
  const parameters *set = &out->set;
  out->values = calloc(set->count, sizeof *out->values);
  out->gradient = calloc(set->count, sizeof *out->gradient);
  for (int i = 0; i < set->n; i++)
    for (size_t k = 0; k < set->list[i].tensor->count; k++)
      out->values[set->list[i].at + k] = set->list[i].tensor->data[k];
}

void made_training_drop(made_training *made) {
  free(made->values);
  free(made->gradient);
  parameters_free(&made->set);
  graph_free(made->graph);
}

void made_picture(int s, int n, float *out) {
  for (int i = 0; i < n; i++)
    out[i] = sinf((float)((i + 1) * (i + 7 * s) % 1009));
}

void expect_every_operator(const made_model *(*model)(int i), int n) {
  for (int op = 0; op < OP_COUNT; op++) {
    char member[64];
    bool found = false;
    snprintf(member, sizeof member, "\"op\":\"%s\"", op_name((cam_op)op));
    for (int i = 0; i < n; i++)
      found = found || strstr(model(i)->nodes, member);
    ck_assert_msg(found, "no case has %s", member);
  }
}
