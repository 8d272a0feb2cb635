/* npy.c - NumPy's .npy with one pickled dict in an array of objects: {'conv1_1': {'weights': array,
 * 'biases': array}, ...} -> tensors "conv1_1/weights".
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "npy.h"
#include "unpickle.h"
#include <string.h>

enum { MAX_DICTS = 4 /* inside each other */ };

/* The value of a key in the header, a Python dict on one line: {'descr': '|O', 'fortran_order':
 * False, 'shape': (), } "" if it has none. */
static const char *header_value(const char *header, const char *key) {
  const char *found = strstr(header, key);
  if (!found)
    return "";
  found += strlen(key);
  return found + strspn(found, " :");
}

/* The header must tell of an array of objects. */
static cam_code check_type(const char *header, cam_error *error) {
  const char *type = header_value(header, "'descr'");
  if (*type != '\'' && *type != '"')
    return cam_fail(error, CAM_E_WEIGHTS, "npy: the header names no dtype");
  type += 1 + strspn(type + 1, "|<>=");
  if (*type != 'O')
    return cam_fail(error, CAM_E_WEIGHTS,
                    "npy: dtype '%.*s'; expected is an array of objects that holds one dict",
                    (int)strcspn(type, "'\""), type);
  return CAM_OK;
}

/* *end: where the header ends and the pickle begins. */
static cam_code read_npy_header(const weights *all, size_t *end, cam_error *error) {
  const uint8_t *file = all->file;
  size_t wide = 2, length = 0; /* bytes of the length: 2 in format 1.0, 4 in 2.0 and 3.0 */
  if (all->n_file > 6 && file[6] > 1)
    wide = 4;
  if (all->n_file < 8 + wide)
    return cam_fail(error, CAM_E_WEIGHTS, "npy: the file ends within its header");
  if (file[6] < 1 || file[6] > 3 || file[7])
    return cam_fail(error, CAM_E_WEIGHTS, "npy: format %d.%d is not known (1.0, 2.0, 3.0)", file[6],
                    file[7]);
  for (size_t i = 0; i < wide; i++)
    length |= (size_t)file[8 + i] << 8 * i;
  char header[1024];
  if (length > all->n_file - 8 - wide)
    return cam_fail(error, CAM_E_WEIGHTS, "npy: the file ends within its header");
  if (length >= sizeof header)
    return cam_fail(error, CAM_E_WEIGHTS,
                    "npy: a header of %zu bytes is too long for an array of one object", length);
  memcpy(header, file + 8 + wide, length);
  header[length] = 0;
  *end = 8 + wide + length;
  return check_type(header, error);
}

static cam_code add_array(weights *all, const char *name, const pickle_value *array,
                          cam_error *error) {
  if (!array->as.array.built)
    return cam_fail(error, CAM_E_WEIGHTS, "tensor %s: the array has no state", name);
  if (array->as.array.dtype->as.dtype.objects)
    return cam_fail(error, CAM_E_WEIGHTS, "tensor %s: an array of objects; expected are numbers",
                    name);
  number_view view = {.data = array->as.array.data->as.bytes.data,
                      .type = array->as.array.dtype->as.dtype.type,
                      .big_endian = array->as.array.dtype->as.dtype.big_endian,
                      .rank = array->as.array.rank};
  memcpy(view.shape, array->as.array.shape, sizeof view.shape);
  number_set_strides(&view, array->as.array.fortran);
  if (!number_fits(&view, array->as.array.data->as.bytes.n / number_bytes(view.type)))
    return cam_fail(error, CAM_E_INTERNAL, "tensor %s: its bytes do not fit", name);
  return weights_add(all, name, &view, error);
}

static cam_code add_dict(weights *all, const char *prefix, const pickle_value *dict, int depth,
                         cam_error *error) {
  if (depth == MAX_DICTS)
    return cam_fail(error, CAM_E_WEIGHTS, "%s: more than %d dicts inside each other", prefix,
                    MAX_DICTS);
  cam_code code = CAM_OK;
  for (size_t i = 0; i < dict->as.list.n && !code; i += 2) {
    const pickle_value *value = dict->as.list.items[i + 1];
    const char *name;
    if (!pickle_text(all->memory, dict->as.list.items[i], &name))
      return cam_fail(error, CAM_E_WEIGHTS, "%s: a key is not a text", depth ? prefix : "npy");
    if (depth)
      name = weights_join_name(all, prefix, "/", name);
    if (!name)
      return cam_fail(error, CAM_E_NO_MEMORY, "no memory for names");
    if (value->type == PICKLE_DICT)
      code = add_dict(all, name, value, depth + 1, error);
    else if (value->type == PICKLE_ARRAY)
      code = add_array(all, name, value, error);
    else
      code = cam_fail(error, CAM_E_WEIGHTS, "%s: %s; expected is an array or a dict", name,
                      pickle_type_name(value));
  }
  return code;
}

/* The dict that a pickle is, or that an array of one object holds. */
static cam_code add_root(weights *all, const pickle_value *root, const char *what,
                         cam_error *error) {
  if (root->type == PICKLE_ARRAY && root->as.array.built &&
      root->as.array.dtype->as.dtype.objects && root->as.array.data->as.list.n == 1)
    root = root->as.array.data->as.list.items[0];
  if (root->type != PICKLE_DICT)
    return cam_fail(error, CAM_E_WEIGHTS, "%s: the file holds %s; expected is one dict of arrays",
                    what, pickle_type_name(root));
  return add_dict(all, "", root, 0, error);
}

cam_code npy_read(weights *all, cam_error *error) {
  size_t begin = 0, used;
  const pickle_value *root;
  cam_code code = read_npy_header(all, &begin, error);
  if (!code)
    code = unpickle(all->memory, all->file + begin, all->n_file - begin, &used, &root, error);
  if (!code)
    code = add_root(all, root, "npy", error);
  return code;
}

cam_code npy_read_pickle(weights *all, cam_error *error) {
  size_t used;
  const pickle_value *root;
  cam_code code = unpickle(all->memory, all->file, all->n_file, &used, &root, error);
  if (!code)
    code = add_root(all, root, "pickle", error);
  return code;
}
