/* onnx_import.c - see onnx_import.h: names, the picture, the walk over the nodes. */
#include "onnx_import.h"
#include "onnx_operator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers that nodes may read in all, and so many times for each byte of the file: folding ends. */
enum { SMALL_WORK = 1 << 28, WORK_PER_BYTE = 16 };
enum { FIRST_OPSET = 7, LAST_OPSET = 23, USUAL_SIDE = 224, MOST_SIDE = 4096 };

/* ---- refusals ---- */

/* Families of operators whose name alone does not say what is missing. */
static const struct {
  const char *name, *needs;
} missing[] = {
    {"If", "control flow (a graph in an attribute)"},
    {"Loop", "control flow (a graph in an attribute)"},
    {"Scan", "control flow (a graph in an attribute)"},
    {"LSTM", "recurrent operators"},
    {"GRU", "recurrent operators"},
    {"RNN", "recurrent operators"},
    {"QuantizeLinear", "quantised operators (convert the float network)"},
    {"DequantizeLinear", "quantised operators (convert the float network)"},
    {"DynamicQuantizeLinear", "quantised operators (convert the float network)"},
    {"QLinearConv", "quantised operators (convert the float network)"},
    {"QLinearMatMul", "quantised operators (convert the float network)"},
    {"ConvInteger", "quantised operators (convert the float network)"},
    {"MatMulInteger", "quantised operators (convert the float network)"},
    {"Attention", "attention: transformers"},
    {"Einsum", "attention: transformers"},
    {"ConvTranspose", "transposed convolution"},
};

static cam_code refuse_operator(onnx_import *im) {
  if (*im->node->domain)
    return onnx_refuse(im, "operators of domain \"%.40s\" would have to be built",
                       im->node->domain);
  for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
    if (!strcmp(missing[i].name, im->node->op))
      return onnx_refuse(im, "%s would have to be built", missing[i].needs);
  return onnx_refuse(im, "this operator would have to be built");
}

/* ---- names ---- */

static int compare_slots(const void *a, const void *b) {
  return strcmp(((const onnx_slot *)a)->name, ((const onnx_slot *)b)->name);
}

/* One slot for the picture, each initializer and each output; a name is given once. */
static cam_code make_slots(onnx_import *im) {
  const onnx_file *file = im->file;
  size_t most = (size_t)file->n_initializers + 1;
  for (int i = 0; i < file->n_nodes; i++)
    most += (size_t)file->nodes[i].n_outputs;
  im->slots = arena_alloc(file->values, most * sizeof *im->slots);
  if (!im->slots)
    return cam_fail(im->error, CAM_E_NO_MEMORY, "no memory for %zu names", most);
  im->slots[im->n_slots++] = (onnx_slot){.name = file->inputs[0].name};
  for (int i = 0; i < file->n_initializers; i++)
    im->slots[im->n_slots++] = (onnx_slot){
        .name = file->initializers[i].name, .known = true, .constant = file->initializers[i].value};
  for (int i = 0; i < file->n_nodes; i++)
    for (int k = 0; k < file->nodes[i].n_outputs; k++)
      if (*file->nodes[i].outputs[k])
        im->slots[im->n_slots++] = (onnx_slot){.name = file->nodes[i].outputs[k]};
  qsort(im->slots, (size_t)im->n_slots, sizeof *im->slots, compare_slots);
  for (int i = 1; i < im->n_slots; i++)
    if (!strcmp(im->slots[i - 1].name, im->slots[i].name))
      return cam_fail(im->error, CAM_E_WEIGHTS, "value %.80s: two nodes or initializers give it",
                      im->slots[i].name);
  return CAM_OK;
}

/* ---- the picture ---- */

/* One side: what was asked for, else the file's, else the usual one. */
static int pick_side(int asked, int64_t own) {
  if (asked)
    return asked;
  if (own > 0 && own <= MOST_SIDE)
    return (int)own;
  return USUAL_SIDE;
}

static cam_code fix_picture(onnx_import *im, onnx_input_size *size) {
  const onnx_file *file = im->file;
  if (file->n_inputs != 1)
    return cam_fail(im->error, CAM_E_WEIGHTS,
                    "the network has %d inputs; what it takes must be one picture", file->n_inputs);
  const onnx_value *input = &file->inputs[0];
  const int64_t *shape = input->shape;
  if (input->rank != -1 && input->rank != 4)
    return cam_fail(im->error, CAM_E_WEIGHTS,
                    "input %.60s has %d sides; a picture has 4: [1,3,H,W] or [1,H,W,3]",
                    input->name, input->rank);
  const bool said = input->rank == 4;
  size->last = said && shape[3] == 3 && shape[1] != 3;
  if (said && !size->last && shape[1] != -1 && shape[1] != 3)
    return cam_fail(im->error, CAM_E_WEIGHTS,
                    "input %.40s has %lld channels; colour pictures have 3 (grey or other inputs "
                    "would have to be built)",
                    input->name, (long long)shape[1]);
  if (said && shape[0] > 1)
    return cam_fail(im->error, CAM_E_WEIGHTS,
                    "input %.60s has a batch of %lld; export it with a batch of 1, or a free one",
                    input->name, (long long)shape[0]);
  const int y = size->last ? 1 : 2;
  size->height = pick_side(size->height, said ? shape[y] : -1);
  size->width = pick_side(size->width, said ? shape[y + 1] : -1);
  im->d->height = size->height;
  im->d->width = size->width;
  onnx_slot *slot = onnx_find_slot(im, input->name);
  slot->known = true;
  slot->node = DRAFT_PICTURE;
  slot->at = view_of_plane(size->height, size->width, 3, size->last);
  return CAM_OK;
}

/* ---- the walk ---- */

static const onnx_operator *const of_planes[] = {onnx_kernel_operators, onnx_product_operators,
                                                 onnx_norm_operators, onnx_element_operators, NULL};

static const onnx_operator *find_row(const onnx_operator *const *tables, const char *name) {
  for (; *tables; tables++)
    for (const onnx_operator *row = *tables; row->name; row++)
      if (!strcmp(row->name, name))
        return row;
  return NULL;
}

static cam_code find_inputs(onnx_import *im, bool *constants) {
  const onnx_node *node = im->node;
  im->n_in = node->n_inputs;
  im->in = arena_alloc(im->file->values, (size_t)node->n_inputs * sizeof *im->in + 1);
  if (!im->in)
    return onnx_no_memory(im);
  *constants = node->n_inputs > 0;
  for (int i = 0; i < node->n_inputs; i++) {
    if (!*node->inputs[i])
      continue;
    const onnx_slot *slot = onnx_find_slot(im, node->inputs[i]);
    if (!slot || !slot->known)
      return onnx_refuse(im, "its input %.60s comes from no earlier node", node->inputs[i]);
    if (slot->constant && slot->constant->type)
      return onnx_refuse(im, "its input %.40s has numbers of type %s, which are not read",
                         node->inputs[i], slot->constant->type);
    im->in[i] = slot;
    *constants &= slot->constant != NULL;
    if (slot->constant)
      im->work += (uint64_t)slot->constant->n;
    if (im->work > SMALL_WORK + WORK_PER_BYTE * im->file->read)
      return onnx_refuse(im,
                         "up to here the nodes read %llu numbers of constants; that is too many",
                         (unsigned long long)im->work);
  }
  return CAM_OK;
}

static cam_code check_attributes(onnx_import *im, const onnx_operator *op) {
  for (int i = 0; i < im->node->n_attributes; i++) {
    const onnx_attribute *a = &im->node->attributes[i];
    char wanted[64];
    snprintf(wanted, sizeof wanted, " %.60s ", a->name);
    if (a->graph)
      return onnx_refuse(im, "attribute %.40s holds a graph; control flow would have to be built",
                         a->name);
    if (!strstr(op->attributes, wanted))
      return onnx_refuse(im, "attribute %.40s would have to be built", a->name);
  }
  return CAM_OK;
}

static const onnx_operator *find_operator(const char *name, bool constants) {
  static const onnx_operator *const of_both[] = {onnx_move_operators, onnx_part_operators, NULL};
  static const onnx_operator *const of_constants[] = {onnx_fold_operators, NULL};
  const onnx_operator *found = find_row(of_both, name);
  if (!found)
    found = find_row(constants ? of_constants : of_planes, name);
  return found;
}

static cam_code import_node(onnx_import *im) {
  bool constants = false;
  const onnx_operator *op = NULL;
  cam_code code = find_inputs(im, &constants);
  if (code)
    return code;
  if (!*im->node->domain)
    op = find_operator(im->node->op, constants);
  if (!op)
    return refuse_operator(im);
  code = check_attributes(im, op);
  if (code)
    return code;
  if (im->n_in < op->least || im->n_in > op->most)
    return onnx_refuse(im, "%d inputs; it takes %d to %d", im->n_in, op->least, op->most);
  for (int i = 0; i < op->least; i++)
    if (!im->in[i])
      return onnx_refuse(im, "input %d is not given", i + 1);
  return op->run(im);
}

/* What the output needs: nodes that compute other outputs need not be understood. */
static bool *mark_needed(onnx_import *im, const char *output) {
  const onnx_file *file = im->file;
  bool *needed = arena_alloc(file->values, (size_t)file->n_nodes + 1);
  bool *wanted = arena_alloc(file->values, (size_t)im->n_slots);
  const onnx_slot *slot = onnx_find_slot(im, output);
  if (!needed || !wanted || !slot)
    return needed && wanted ? needed : NULL;
  wanted[slot - im->slots] = true;
  for (int i = file->n_nodes - 1; i >= 0; i--) {
    const onnx_node *node = &file->nodes[i];
    for (int k = 0; k < node->n_outputs; k++)
      if (*node->outputs[k])
        needed[i] |= wanted[onnx_find_slot(im, node->outputs[k]) - im->slots];
    for (int k = 0; k < node->n_inputs && needed[i]; k++) {
      slot = *node->inputs[k] ? onnx_find_slot(im, node->inputs[k]) : NULL;
      if (slot)
        wanted[slot - im->slots] = true;
    }
  }
  return needed;
}

/* The output with one number a class: the first of [1,N] or without a shape, else the first. */
static const char *pick_output(const onnx_file *file) {
  for (int i = 0; i < file->n_outputs; i++)
    if (file->outputs[i].rank == 2)
      return file->outputs[i].name;
  return file->outputs[0].name;
}

static cam_code set_output(onnx_import *im, const char *name) {
  const onnx_slot *slot = onnx_find_slot(im, name);
  if (!slot || !slot->known || slot->constant)
    return cam_fail(im->error, CAM_E_WEIGHTS, "output %.80s comes from no picture", name);
  if (slot->node == DRAFT_PICTURE || draft_height(im->d, slot->node) != 1 ||
      draft_width(im->d, slot->node) != 1 || !view_is_vector(&slot->at))
    return cam_fail(im->error, CAM_E_WEIGHTS,
                    "output %.40s is %d x %d cells of %d channels; a classifier gives one number a "
                    "class",
                    name, draft_height(im->d, slot->node), draft_width(im->d, slot->node),
                    draft_channels(im->d, slot->node));
  const int channels = draft_channels(im->d, slot->node);
  if (channels > 1 && view_side_of(&slot->at, VIEW_C, channels) < 0)
    return cam_fail(im->error, CAM_E_WEIGHTS, "output %.80s is in another order than its channels",
                    name);
  im->d->output = onnx_only_cell(im, slot->node);
  if (im->d->output < 0)
    return CAM_E_NO_MEMORY;
  return CAM_OK;
}

cam_code onnx_import_graph(const onnx_file *file, onnx_input_size *size, draft *d,
                           cam_error *error) {
  onnx_import im = {.file = file, .d = d, .error = error};
  if (file->opset < FIRST_OPSET || file->opset > LAST_OPSET)
    return cam_fail(error, CAM_E_WEIGHTS, "its operators are of version %lld; read are %d to %d",
                    (long long)file->opset, FIRST_OPSET, LAST_OPSET);
  if (!file->n_outputs || !file->n_inputs)
    return cam_fail(error, CAM_E_WEIGHTS, "the network has %d inputs and %d outputs",
                    file->n_inputs, file->n_outputs);
  const char *output = pick_output(file);
  cam_code code = make_slots(&im);
  if (!code)
    code = fix_picture(&im, size);
  bool *needed = code ? NULL : mark_needed(&im, output);
  if (!code && !needed)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d nodes", file->n_nodes);
  for (int i = 0; i < file->n_nodes && !code; i++) {
    im.node = &file->nodes[i];
    if (needed[i])
      code = import_node(&im);
  }
  if (code)
    return code;
  return set_output(&im, output);
}

char *onnx_operator_list(void) {
  const onnx_operator *const tables[] = {onnx_kernel_operators, onnx_product_operators,
                                         onnx_norm_operators,   onnx_element_operators,
                                         onnx_move_operators,   onnx_part_operators};
  char *text = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);
  if (!out)
    return NULL;
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
    for (const onnx_operator *op = tables[t]; op->name; op++)
      fprintf(out, "%s ", op->name);
  fclose(out);
  return text;
}
