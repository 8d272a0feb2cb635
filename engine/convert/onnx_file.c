/* onnx_file.c - see onnx_file.h. The one place that names protobuf-c; the messages are in
 * onnx.proto, which says why they cannot nest. Its allocator counts: a message of two bytes becomes
 * a structure of a hundred and fifty, so a small file could ask for much. */
#include "onnx_file.h"
#include "onnx_data.h"
#include <errno.h>
#include <onnx.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_NODES = 1 << 14, MAX_INITIALIZERS = 1 << 16, MAX_VALUES = 64, TENSOR_EXTERNAL = 1 };
static const int64_t MAX_FILE = INT64_C(2) << 30; /* protobuf's own bound */
/* What unpacking may hold at a time, what its numbers may become (int8 becomes int64), and what may
 * be computed of them: so much, and so many bytes for each byte read. */
static const size_t SMALL_BYTES = (size_t)64 << 20;
enum { UNPACKED_PER_BYTE = 3, CONVERTED_PER_BYTE = 8, COMPUTED_PER_BYTE = 4 };

/* ---- memory that is counted ---- */

typedef struct counted {
  size_t bytes;
  _Alignas(16) unsigned char at[];
} counted;

typedef struct budget {
  size_t left;
  bool exceeded;
} budget;

static void *counted_alloc(void *closure, size_t bytes) {
  budget *all = closure;
  if (bytes > all->left || all->left - bytes < sizeof(counted)) {
    all->exceeded = true;
    return NULL;
  }
  counted *made = malloc(sizeof *made + bytes);
  if (!made)
    return NULL;
  made->bytes = bytes + sizeof *made;
  all->left -= made->bytes;
  return made->at;
}

static void counted_free(void *closure, void *at) {
  budget *all = closure;
  if (!at)
    return;
  counted *made = (counted *)((unsigned char *)at - offsetof(counted, at));
  all->left += made->bytes;
  free(made);
}

typedef struct unpacked {
  budget memory;
  ProtobufCAllocator allocator;
  Onnx__Model *model;
  size_t n_file;
} unpacked;

/* ---- the file ---- */

static cam_code read_onnx_bytes(const char *path, uint8_t **bytes, size_t *n, cam_error *error) {
  FILE *file = fopen(path, "rb");
  struct stat about;
  cam_code code = CAM_OK;
  *bytes = NULL;
  if (!file || fstat(fileno(file), &about))
    code = cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  else if (!S_ISREG(about.st_mode))
    code = cam_fail(error, CAM_E_IO, "%.120s: this is not a file", path);
  else if (about.st_size > MAX_FILE)
    code = cam_fail(error, CAM_E_WEIGHTS, "the file has %lld bytes; allowed are %lld",
                    (long long)about.st_size, (long long)MAX_FILE);
  else if (!(*bytes = malloc((size_t)about.st_size + 1)))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for a file of %lld bytes",
                    (long long)about.st_size);
  else {
    *n = (size_t)about.st_size;
    if (fread(*bytes, 1, *n, file) != *n)
      code = cam_fail(error, CAM_E_IO, "%.120s: it cannot be read to its end", path);
  }
  if (file)
    fclose(file);
  return code;
}

static cam_code unpack(const char *path, unpacked *all, cam_error *error) {
  uint8_t *bytes;
  size_t n = 0;
  cam_code code = read_onnx_bytes(path, &bytes, &n, error);
  if (!code) {
    const size_t most = SMALL_BYTES + UNPACKED_PER_BYTE * n;
    all->n_file = n;
    all->memory.left = most;
    all->allocator = (ProtobufCAllocator){counted_alloc, counted_free, &all->memory};
    all->model = onnx__model__unpack(&all->allocator, n, bytes);
    if (!all->model && all->memory.exceeded)
      code = cam_fail(error, CAM_E_WEIGHTS,
                      "the file of %zu bytes asks for more than %zu bytes of memory", n, most);
    else if (!all->model)
      code = cam_fail(error, CAM_E_WEIGHTS,
                      "the file is no ONNX: its protobuf is broken (weights need --arch FILE)");
    else if (!all->model->graph)
      code = cam_fail(error, CAM_E_WEIGHTS, "the file is no ONNX model: it has no graph");
  }
  free(bytes);
  return code;
}

/* ---- from messages to structures ---- */

typedef struct reader {
  onnx_file *file;
  const char *path;
  cam_error *error;
} reader;

static cam_code no_memory_for_file(reader *r) {
  return cam_fail(r->error, CAM_E_NO_MEMORY, "no memory for an ONNX file");
}

static const char *text_or_empty(const char *text) { return text ? text : ""; }

static const char *external_value(const Onnx__Tensor *from, const char *key) {
  for (size_t i = 0; i < from->n_external_data; i++)
    if (!strcmp(text_or_empty(from->external_data[i]->key), key))
      return text_or_empty(from->external_data[i]->value);
  return NULL;
}

static cam_code note_beside(reader *r, const char *name) {
  const onnx_beside *last = r->file->beside;
  if (last && !strcmp(last->name, name))
    return CAM_OK;
  onnx_beside *made = arena_alloc(r->file->memory, sizeof *made);
  if (!made)
    return no_memory_for_file(r);
  *made = (onnx_beside){.name = name, .next = last};
  r->file->beside = made;
  return CAM_OK;
}

static cam_code take_tensor(reader *r, const Onnx__Tensor *from, const char *name,
                            const constant **out) {
  onnx_data data = {.name = name,
                    .type = from->data_type,
                    .rank = from->n_dims,
                    .shape = from->dims,
                    .has_raw = from->has_raw_data,
                    .raw = from->raw_data.data,
                    .n_raw = from->raw_data.len,
                    .floats = from->float_data,
                    .n_floats = from->n_float_data,
                    .ints = from->int32_data,
                    .n_ints = from->n_int32_data,
                    .longs = from->int64_data,
                    .n_longs = from->n_int64_data,
                    .doubles = from->double_data,
                    .n_doubles = from->n_double_data};
  cam_code code = CAM_OK;
  if (from->data_location == TENSOR_EXTERNAL) {
    data.location = text_or_empty(external_value(from, "location"));
    data.offset = external_value(from, "offset");
    data.length = external_value(from, "length");
    code = note_beside(r, data.location);
  }
  if (code)
    return code;
  return onnx_data_read(&data, r->path, r->file->memory, r->file->external, out, r->error);
}

static cam_code take_attribute(reader *r, const Onnx__Attribute *from, const char *node,
                               onnx_attribute *to) {
  char *text = arena_alloc(r->file->memory, from->s.len + 1);
  if (!text)
    return no_memory_for_file(r);
  memcpy(text, from->s.len ? (const void *)from->s.data : "", from->s.len);
  *to = (onnx_attribute){.name = text_or_empty(from->name),
                         .graph = from->has_g || from->n_graphs,
                         .real = (double)from->f,
                         .whole = from->i,
                         .text = text,
                         .n_reals = (int)from->n_floats,
                         .n_wholes = (int)from->n_ints,
                         .reals = from->floats,
                         .wholes = from->ints};
  if (from->t)
    return take_tensor(r, from->t, node, &to->tensor);
  return CAM_OK;
}

static cam_code take_node(reader *r, const Onnx__Node *from, onnx_node *to) {
  const char *domain = text_or_empty(from->domain), *name = text_or_empty(from->name);
  if (!*name && from->n_output)
    name = from->output[0];
  onnx_attribute *attributes = arena_alloc(r->file->memory,
                                           from->n_attribute * sizeof *attributes + 1);
  if (!attributes)
    return no_memory_for_file(r);
  *to = (onnx_node){.name = name,
                    .op = text_or_empty(from->op_type),
                    .domain = strcmp(domain, "ai.onnx") ? domain : "",
                    .n_inputs = (int)from->n_input,
                    .n_outputs = (int)from->n_output,
                    .n_attributes = (int)from->n_attribute,
                    .inputs = from->input,
                    .outputs = from->output,
                    .attributes = attributes};
  cam_code code = CAM_OK;
  for (size_t i = 0; i < from->n_attribute && !code; i++)
    code = take_attribute(r, from->attribute[i], name, &attributes[i]);
  return code;
}

static cam_code take_nodes(reader *r, const Onnx__Graph *graph) {
  if (graph->n_node > MAX_NODES)
    return cam_fail(r->error, CAM_E_WEIGHTS, "the graph has %zu nodes; allowed are %d",
                    graph->n_node, MAX_NODES);
  r->file->nodes = arena_alloc(r->file->memory, graph->n_node * sizeof *r->file->nodes + 1);
  if (!r->file->nodes)
    return no_memory_for_file(r);
  cam_code code = CAM_OK;
  for (size_t i = 0; i < graph->n_node && !code; i++)
    code = take_node(r, graph->node[i], &r->file->nodes[r->file->n_nodes++]);
  return code;
}

static int compare_initializers(const void *a, const void *b) {
  return strcmp(((const onnx_initializer *)a)->name, ((const onnx_initializer *)b)->name);
}

static cam_code take_initializers(reader *r, const Onnx__Graph *graph) {
  onnx_file *file = r->file;
  if (graph->n_initializer > MAX_INITIALIZERS)
    return cam_fail(r->error, CAM_E_WEIGHTS, "the graph has %zu initializers; allowed are %d",
                    graph->n_initializer, MAX_INITIALIZERS);
  file->initializers = arena_alloc(file->memory,
                                   graph->n_initializer * sizeof *file->initializers + 1);
  if (!file->initializers)
    return no_memory_for_file(r);
  cam_code code = CAM_OK;
  for (size_t i = 0; i < graph->n_initializer && !code; i++) {
    onnx_initializer *to = &file->initializers[file->n_initializers++];
    to->name = text_or_empty(graph->initializer[i]->name);
    code = take_tensor(r, graph->initializer[i], to->name, &to->value);
  }
  qsort(file->initializers, (size_t)file->n_initializers, sizeof *file->initializers,
        compare_initializers);
  return code;
}

/* The initializers are by name. */
static bool is_initializer(const onnx_file *file, const char *name) {
  const onnx_initializer wanted = {.name = name};
  return bsearch(&wanted, file->initializers, (size_t)file->n_initializers,
                 sizeof *file->initializers, compare_initializers) != NULL;
}

static void take_value_info(const Onnx__ValueInfo *from, onnx_value *to) {
  *to = (onnx_value){.name = text_or_empty(from->name), .rank = -1};
  const Onnx__TensorType *type = from->type ? from->type->tensor_type : NULL;
  if (!type || !type->shape || type->shape->n_dim > NUMBER_MAX_RANK)
    return;
  to->rank = (int)type->shape->n_dim;
  for (int i = 0; i < to->rank; i++) {
    const Onnx__Dimension *side = type->shape->dim[i];
    to->shape[i] = side->has_dim_value && side->dim_value > 0 ? side->dim_value : -1;
  }
}

/* Inputs (but those that are initializers: before version 4 all weights are inputs, too) or
 * outputs. */
static cam_code take_values(reader *r, Onnx__ValueInfo *const *from, size_t n, onnx_value **out,
                            int *n_out) {
  *out = arena_alloc(r->file->memory, MAX_VALUES * sizeof **out);
  if (!*out)
    return no_memory_for_file(r);
  if (n > MAX_INITIALIZERS)
    return cam_fail(r->error, CAM_E_WEIGHTS, "the graph has %zu inputs or outputs", n);
  for (size_t i = 0; i < n; i++) {
    if (is_initializer(r->file, text_or_empty(from[i]->name)))
      continue;
    if (*n_out == MAX_VALUES)
      return cam_fail(r->error, CAM_E_WEIGHTS, "the graph has more than %d inputs or outputs",
                      MAX_VALUES);
    take_value_info(from[i], &(*out)[(*n_out)++]);
  }
  return CAM_OK;
}

static cam_code read_model(reader *r, const Onnx__Model *model) {
  onnx_file *file = r->file;
  file->producer = text_or_empty(model->producer_name);
  file->producer_version = text_or_empty(model->producer_version);
  for (size_t i = 0; i < model->n_opset_import; i++) {
    const char *domain = text_or_empty(model->opset_import[i]->domain);
    if (!*domain || !strcmp(domain, "ai.onnx"))
      file->opset = model->opset_import[i]->version;
  }
  file->properties = arena_alloc(file->memory,
                                 model->n_metadata_props * sizeof *file->properties + 1);
  if (!file->properties)
    return no_memory_for_file(r);
  for (size_t i = 0; i < model->n_metadata_props; i++)
    file->properties[file->n_properties++] = (onnx_property){
        text_or_empty(model->metadata_props[i]->key),
        text_or_empty(model->metadata_props[i]->value)};
  const Onnx__Graph *graph = model->graph;
  cam_code code = take_nodes(r, graph);
  if (!code)
    code = take_initializers(r, graph);
  if (!code)
    code = take_values(r, graph->input, graph->n_input, &file->inputs, &file->n_inputs);
  if (!code)
    code = take_values(r, graph->output, graph->n_output, &file->outputs, &file->n_outputs);
  return code;
}

static cam_code make_arenas(onnx_file *file, size_t n, cam_error *error) {
  file->memory = arena_create(SMALL_BYTES + CONVERTED_PER_BYTE * n);
  file->external = arena_create(ONNX_MOST_EXTERNAL);
  if (!file->memory || !file->external)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for an ONNX file");
  return CAM_OK;
}

cam_code onnx_read(const char *path, onnx_file **out, cam_error *error) {
  *out = NULL;
  onnx_file *file = calloc(1, sizeof *file);
  unpacked *all = calloc(1, sizeof *all);
  if (!file || !all) {
    free(all);
    free(file);
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for an ONNX file");
  }
  file->unpacked = all;
  reader r = {.file = file, .path = path, .error = error};
  cam_code code = unpack(path, all, error);
  if (!code)
    code = make_arenas(file, all->n_file, error);
  if (!code)
    code = read_model(&r, all->model);
  if (!code) {
    file->read = all->n_file + ONNX_MOST_EXTERNAL - arena_left(file->external);
    file->values = arena_create(SMALL_BYTES + COMPUTED_PER_BYTE * file->read);
    if (!file->values)
      code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for an ONNX file");
  }
  if (code)
    onnx_free(file);
  else
    *out = file;
  return code;
}

void onnx_free(onnx_file *file) {
  if (!file)
    return;
  unpacked *all = file->unpacked;
  if (all->model)
    onnx__model__free_unpacked(all->model, &all->allocator);
  free(all);
  arena_free(file->values);
  arena_free(file->external);
  arena_free(file->memory);
  free(file);
}

const onnx_attribute *onnx_find(const onnx_node *node, const char *attribute) {
  for (int i = 0; i < node->n_attributes; i++)
    if (!strcmp(node->attributes[i].name, attribute))
      return &node->attributes[i];
  return NULL;
}
