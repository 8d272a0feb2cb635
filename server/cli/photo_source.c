/* photo_source.c - photo_source.h. An operand called NAME.cam.png beside others came from the
 * shell's *.png, where an earlier run had left it: it is passed over and counted. */
#include "photo_source.h"
#include <string.h>

cam_code photo_source_open(photo_source *source, char *const *operands, int n_operands,
                           const char *list, char list_end, cam_error *error) {
  source->operands = operands;
  source->n_operands = n_operands;
  source->at = source->passed = 0;
  source->others = (passed_over){0};
  source->walk = NULL;
  source->list.descriptor = -1;
  source->walks_one = n_operands == 1 && !list && walk_is_folder(operands[0]);
  if (!list)
    return CAM_OK;
  return path_list_open(&source->list, list, list_end, error);
}

void photo_source_close(photo_source *source) {
  walk_close(source->walk);
  source->walk = NULL;
  path_list_close(&source->list);
}

bool photo_source_may_have(const photo_source *source, int n) {
  if (source->n_operands >= n || source->list.descriptor >= 0)
    return true;
  for (int i = 0; i < source->n_operands; i++)
    if (walk_is_folder(source->operands[i]))
      return true;
  return false;
}

/* path as a photo of its own memory. */
static cam_code find(found_photo *out, const char *path, cam_error *error) {
  out->path = strdup(path);
  if (!out->path)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a path");
  return CAM_OK;
}

static void say_no_photos(passed_over *passed, cam_error *error) {
  char words[PASSED_WORDS_MAX];
  if (passed->files)
    cam_fail(error, CAM_E_NOT_FOUND, "a folder without photos, but with %s",
             passed_over_words(passed, words));
  else
    cam_fail(error, CAM_E_NOT_FOUND, "a folder without photos");
}

/* The next of the folder that is walked; none: *out stays empty. */
static cam_code next_walked(photo_source *source, found_photo *out, cam_error *error) {
  size_t below;
  const char *path = walk_next(source->walk, &below, &out->error);
  if (out->error.code == CAM_E_NO_MEMORY) {
    *error = out->error;
    return error->code;
  }
  if (path) {
    if (source->walks_one)
      out->below = below;
    source->walked++;
    return find(out, path, error);
  }
  if (source->walked)
    passed_over_join(&source->others, walk_passed(source->walk));
  else
    say_no_photos(walk_passed(source->walk), &out->error);
  walk_close(source->walk);
  source->walk = NULL;
  if (source->walked)
    return CAM_OK;
  return find(out, source->operands[source->at - 1], error);
}

/* The next operand, or the first photo of it; none: *out stays empty. */
static cam_code next_operand(photo_source *source, found_photo *out, cam_error *error) {
  const char *operand = source->operands[source->at++];
  if (source->n_operands > 1 && walk_is_own(operand)) {
    source->passed++;
    return CAM_OK;
  }
  out->standard_input = !strcmp(operand, "-");
  if (out->standard_input || !walk_is_folder(operand))
    return find(out, operand, error);
  source->walked = 0;
  source->walk = walk_open(operand);
  if (!source->walk)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a folder's name");
  return CAM_OK;
}

/* The next of the list; none: *out stays empty. */
static cam_code next_listed(photo_source *source, found_photo *out, cam_error *error) {
  char path[PATH_LIST_MAX + 1];
  if (!path_list_next(&source->list, path, &out->error, error))
    return error->code;
  return find(out, path, error);
}

cam_code photo_source_next(photo_source *source, found_photo *out, cam_error *error) {
  cam_code code = CAM_OK;
  *error = (cam_error){0};
  *out = (found_photo){0};
  while (!code && !out->path && (source->walk || source->at < source->n_operands)) {
    if (source->walk)
      code = next_walked(source, out, error);
    else
      code = next_operand(source, out, error);
  }
  if (!code && !out->path && source->list.descriptor >= 0)
    code = next_listed(source, out, error);
  return code;
}
