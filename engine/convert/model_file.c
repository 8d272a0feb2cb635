/* model_file.c - model_file.h. */
#include "model_file.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SELF_TEST_LOGITS = 5, MAX_PATH = 4096 };

static cam_code put_text(const char *path, const char *text, const cam_tensor *tensors, int n,
                         bool to_disk, cam_error *error) {
  FILE *file = fopen(path, "wb");
  if (!file)
    return cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  cam_code code = safetensors_write(file, tensors, n, "camserve", text, error);
  if (!code && (fflush(file) || (to_disk && fsync(fileno(file)))))
    code = cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  if (fclose(file) && !code)
    code = cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  return code;
}

cam_code model_file_put(const char *path, const json *document, const cam_tensor *tensors, int n,
                        bool to_disk, cam_error *error) {
  char *text = json_print(document, true, NULL);
  if (!text)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the text of the network");
  const cam_code code = put_text(path, text, tensors, n, to_disk, error);
  free(text);
  return code;
}

cam_code model_file_rename(const char *from, const char *to, cam_error *error) {
  if (rename(from, to))
    return cam_fail(error, CAM_E_IO, "%.120s: %s", to, strerror(errno));
  char folder[MAX_PATH] = ".";
  const char *slash = strrchr(to, '/');
  if (slash)
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - to) + 1, to);
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return CAM_OK; /* a folder that may be written but not read: the file is there */
  fsync(fd);
  close(fd);
  return CAM_OK;
}

cam_code model_file_add_self_test(json *document, oracle *o, cam_error *error) {
  const int n = o->graph->n_classes;
  for (int c = 0; c < n; c++)
    if (!isfinite(o->logits[c]))
      return cam_fail(error, CAM_E_WEIGHTS, "self-test: the logit of class %d is not finite", c);
  json *list = json_add_array(json_add_object(document, "self_test"), "logits");
  for (int i = 0; i < SELF_TEST_LOGITS && i < n; i++) {
    int best = -1;
    for (int c = 0; c < n; c++)
      if (!isnan(o->logits[c]) && (best < 0 || o->logits[c] > o->logits[best]))
        best = c;
    json *pair = json_add_array(list, NULL);
    json_add_int(pair, NULL, best);
    json_add_number(pair, NULL, o->logits[best]);
    o->logits[best] = NAN; /* taken */
  }
  return CAM_OK;
}
