/* model_files.c - model_files.h. Flow: setting -> [model_files] -> loader, commands.   Thread: any.
 */
#include "model_files.h"
#include "cam_minmax.h"
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes path over. */
static cam_code add(model_files *files, char *path, cam_error *error) {
  if (!path)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the list of models");
  if (files->n == MODELS_MOST) {
    free(path);
    return cam_fail(error, CAM_E_PARAMETER, "model: more than %d files; allowed are at most %d",
                    MODELS_MOST, MODELS_MOST);
  }
  for (int i = 0; i < files->n; i++)
    if (!strcmp(files->paths[i], path)) {
      cam_fail(error, CAM_E_PARAMETER, "model: %.100s is given twice", path);
      free(path);
      return CAM_E_PARAMETER;
    }
  files->paths[files->n++] = path;
  return CAM_OK;
}

static int is_model(const struct dirent *entry) {
  return !fnmatch("*.safetensors", entry->d_name, FNM_PERIOD);
}

static size_t length_without_ending(const char *name) {
  return strlen(name) - strlen(".safetensors");
}

/* By byte, whatever the locale, and without the ending: NET comes before NET-int8. */
static int by_name(const struct dirent **a, const struct dirent **b) {
  const char *first = (*a)->d_name, *second = (*b)->d_name;
  const size_t n = length_without_ending(first), m = length_without_ending(second);
  const int order = strncmp(first, second, min_size(n, m));
  if (order)
    return order;
  return (n > m) - (n < m);
}

static cam_code add_folder(model_files *files, const char *folder, cam_error *error) {
  struct dirent **entries;
  const int n = scandir(folder, &entries, is_model, by_name);
  if (n < 0)
    return cam_fail(error, CAM_E_IO, "model folder %.80s: %s", folder, strerror(errno));
  cam_code code = CAM_OK;
  for (int i = 0; i < n; i++) {
    char *path = NULL;
    if (!code && asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0)
      path = NULL;
    if (!code)
      code = add(files, path, error);
    free(entries[i]);
  }
  free(entries);
  return code;
}

/* One item of the setting, n characters. */
static cam_code add_named(model_files *files, const char *item, size_t n, cam_error *error) {
  char *path = strndup(item, n);
  DIR *folder = path ? opendir(path) : NULL;
  if (!folder)
    return add(files, path, error);
  closedir(folder);
  const cam_code code = add_folder(files, path, error);
  free(path);
  return code;
}

cam_code model_files_find(const char *setting, model_files *out, cam_error *error) {
  cam_code code = CAM_OK;
  *out = (model_files){0};
  for (const char *item = setting; !code; item++) {
    const size_t n = strcspn(item, ",");
    if (n)
      code = add_named(out, item, n, error);
    item += n;
    if (!*item)
      break;
  }
  if (!code && !out->n)
    return cam_fail(error, CAM_E_PARAMETER, "model: there is no *.safetensors in \"%.80s\"",
                    setting);
  return code;
}

void model_files_free(model_files *files) {
  for (int i = 0; i < files->n; i++)
    free(files->paths[i]);
  files->n = 0;
}
