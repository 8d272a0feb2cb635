/* gallery.c - gallery.h. The page is static/gallery/page.html (one_page.h) with the demo page's
 * modules that know neither page nor service. */
#include "gallery.h"
#include "base/version.h"
#include "cam_json.h"
#include "one_page.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const one_page gallery_page = {.text = "gallery/page.html",
                                      .styles = {"style.css", "gallery/gallery.css"},
                                      .scripts = {"heat.js", "colormaps.js", "words.js",
                                                  "labels.js", "viewer.js", "gallery/tiles.js",
                                                  "gallery/large.js", "gallery/gallery.js"}};

/* How a page begins, and a file that may be replaced by one. */
static const char ours[] = "<!doctype html>\n<!-- A gallery by camserve explain --html";

/* For free(); NULL: no memory. */
static char *about_of(const cam_model_info *model, const cam_params *params) {
  json *tree = json_new_object();
  json_add_text(tree, "model", model->name);
  json_add_text(tree, "method", cam_method_name(model->method));
  json_add_text(tree, "version", cam_version);
  json_add_text(tree, "colormap", cam_colormap_name(params->colormap));
  json_add_text(tree, "resize", model->enlarging);
  json_add_text(tree, "scale", cam_scale_name(params->scale));
  json_add_fixed(tree, "alpha", (double)params->alpha, 2);
  if (params->has_minus)
    json_add_text(tree, "minus", model->class_list[params->minus].label);
  char *text = json_print(tree, true, NULL);
  json_free(tree);
  return text;
}

/* ---- the page ---- */

static cam_code page_not_written(const gallery *page, cam_error *error) {
  return cam_fail(error, CAM_E_IO, "--html %.80s: cannot be written: %s", page->path,
                  strerror(errno));
}

/* Whether what is there may be replaced: nothing, an empty file, a page of ours. */
static bool may_replace(const char *path) {
  char head[sizeof ours] = "";
  struct stat status;
  if (stat(path, &status))
    return errno == ENOENT;
  FILE *there = S_ISREG(status.st_mode) ? fopen(path, "rbe") : NULL;
  if (!there)
    return false;
  const size_t n = fread(head, 1, sizeof ours - 1, there);
  fclose(there);
  return !n || !strcmp(head, ours);
}

static cam_code begin_file(gallery *page, cam_error *error) {
  char *unfinished;
  if (asprintf(&unfinished, "%s.%ld.unfinished", page->path, (long)getpid()) < 0)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a path");
  page->file = fopen(unfinished, "wbxe");
  if (page->file) {
    page->unfinished = unfinished;
    return CAM_OK;
  }
  free(unfinished);
  return page_not_written(page, error);
}

cam_code gallery_open(gallery *page, const char *path, const cam_model_info *model,
                      const cam_params *params, cam_error *error) {
  *page = (gallery){.path = path};
  if (!may_replace(path))
    return cam_fail(error, CAM_E_IO,
                    "--html %.80s: not a gallery of camserve's, so it is left as it is", path);
  cam_code code = begin_file(page, error);
  if (code)
    return code;
  char *about = about_of(model, params);
  if (!one_page_begin(page->file, &gallery_page, about))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for the gallery");
  free(about);
  if (!code && ferror(page->file))
    code = page_not_written(page, error);
  return code;
}

cam_code gallery_add(gallery *page, const char *text, size_t n, cam_error *error) {
  if (fwrite(text, 1, n, page->file) != n)
    return page_not_written(page, error);
  return CAM_OK;
}

cam_code gallery_finish(gallery *page, cam_error *error) {
  FILE *file = page->file;
  one_page_end(file, &gallery_page);
  const bool failed = fflush(file) || ferror(file);
  page->file = NULL;
  if (fclose(file) || failed || rename(page->unfinished, page->path))
    return page_not_written(page, error);
  free(page->unfinished);
  page->unfinished = NULL;
  return CAM_OK;
}

void gallery_drop(gallery *page) {
  if (page->file)
    fclose(page->file);
  if (page->unfinished)
    unlink(page->unfinished);
  free(page->unfinished);
  *page = (gallery){0};
}
