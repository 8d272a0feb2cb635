/* head_job.c - head_job.h. */
#include "head_job.h"
#include "cam_temperature.h"
#include "logits.h"
#include <stdlib.h>
#include <string.h>

/* What a head is fitted to, in memory of its own. */
typedef struct head_lists {
  sample_view *views;
  int *labels;
  double *shares;
} head_lists;

static void free_lists(head_lists *lists) {
  free(lists->views);
  free(lists->labels);
  free(lists->shares);
}

/* Each view of a photo counts alike, or each class. */
static cam_code make_lists(const head_job *job, const sample_part *part, int views, head_lists *out,
                           head_task *task, cam_error *error) {
  const size_t n = (size_t)part->n * (size_t)views;
  const int classes = job->tuned->graph.n_classes;
  int *counts = calloc((size_t)classes + 1, sizeof *counts), filled = 0;
  *out = (head_lists){malloc((n + 1) * sizeof(sample_view)), malloc((n + 1) * sizeof(int)),
                      malloc((n + 1) * sizeof(double))};
  if (!counts || !out->views || !out->labels || !out->shares) {
    free(counts);
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu photos", n);
  }
  for (int i = 0; i < part->n; i++)
    filled += !counts[job->list[part->members[i]].class_id]++;
  for (size_t i = 0; i < n; i++) {
    const int sample = part->members[i / (size_t)views];
    out->views[i] = (sample_view){sample, i % (size_t)views};
    out->labels[i] = job->list[sample].class_id;
    out->shares[i] = 1 / (double)n;
    if (job->balance)
      out->shares[i] = 1 / ((double)filled * views * counts[out->labels[i]]);
  }
  free(counts);
  task->n = (int)n;
  task->views = out->views;
  task->labels = out->labels;
  task->shares = out->shares;
  return CAM_OK;
}

/* All of the task but the photos. */
static head_task task_without_photos(const head_job *job) {
  const cam_graph *graph = &job->tuned->graph;
  const cam_node *last = &graph->nodes[graph->n_nodes - 1];
  head_task task = {.from = job->from,
                    .classes = graph->n_classes,
                    .channels = (int)last->weight->shape[1],
                    .decay = job->decay,
                    .end = job->end};
  if (job->tuned->is_new)
    return task;
  task.start = last->weight->data;
  if (last->bias)
    task.bias = last->bias->data;
  return task;
}

cam_code head_job_fit(const head_job *job, const sample_part *part, int views, head_result *out,
                      cam_error *error) {
  head_task task = task_without_photos(job);
  head_lists lists;
  *out = (head_result){0};
  cam_code code = make_lists(job, part, views, &lists, &task, error);
  if (!code)
    code = head_fit(&task, out, error);
  free_lists(&lists);
  return code;
}

cam_code head_job_validate(const head_job *job, const sample_part *part, const float *weight,
                           head_figures *out, cam_error *error) {
  head_task task = task_without_photos(job);
  head_lists lists;
  const int n = part->n, classes = task.classes;
  *out = (head_figures){-1, -1, 0};
  if (!n)
    return CAM_OK;
  float *logits = malloc((size_t)n * (size_t)classes * sizeof *logits);
  cam_code code = make_lists(job, part, 1, &lists, &task, error);
  if (!code && !logits)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d photos", n);
  if (!code)
    code = head_logits(&task, weight, logits, error);
  if (!code) {
    out->accuracy = logits_accuracy(logits, task.labels, n, classes, &out->loss);
    out->temperature = cam_fit_temperature(&(cam_logits){n, classes, 1, logits, task.labels});
  }
  free_lists(&lists);
  free(logits);
  return code;
}

bool head_job_take_fewer(const head_job *job, const sample_part *part, int per_class,
                         sample_part *out) {
  int before = -1, n = 0;
  *out = (sample_part){.members = malloc(((size_t)part->n + 1) * sizeof(int))};
  for (int i = 0; out->members && i < part->n; i++) {
    const int sample = part->members[i];
    if (job->list[sample].class_id != before)
      n = 0;
    before = job->list[sample].class_id;
    if (n++ < per_class)
      out->members[out->n++] = sample;
  }
  return out->members && out->n < part->n;
}
