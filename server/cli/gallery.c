/* gallery.c - gallery.h. The page is static/gallery/page.html, whose {{words}} stand for the rest:
 * styles; the demo page's modules that know neither page nor service, and the gallery's own, joined
 * to one script (modules of one file cannot import each other); a policy that runs that script and
 * nothing else; what holds for all photos; the photos. */
#include "gallery.h"
#include "base/version.h"
#include "cam_encoding.h"
#include "cam_json.h"
#include "http/assets.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off */
/* X(symbol, file): what the binary holds of static/gallery/, which nothing serves. */
#define GALLERY_FILES(X)              \
  X(gallery_page,   "page.html")      \
  X(gallery_style,  "gallery.css")    \
  X(gallery_script, "gallery.js")
/* clang-format on */
#define X(symbol, file) \
  extern const unsigned char asset_##symbol##_begin[], asset_##symbol##_end[]; \
  __asm__(".section .rodata\n.balign 16\nasset_" #symbol "_begin:\n.incbin \"static/gallery/" file \
          "\"\nasset_" #symbol "_end:\n.byte 0\n.previous\n");
GALLERY_FILES(X)
#undef X

/* What is taken of the demo page: modules come after those that they import. */
static const char *const styles[] = {"/assets/style.css"};
static const char *const modules[] = {"/assets/heat.js", "/assets/colormaps.js", "/assets/words.js",
                                      "/assets/labels.js", "/assets/viewer.js"};
enum { STYLES = sizeof styles / sizeof *styles, MODULES = sizeof modules / sizeof *modules };

/* How a page begins, and a file that may be replaced by one. */
static const char ours[] = "<!doctype html>\n<!-- A gallery by camserve explain --html";

/* ---- what the words of the page stand for ---- */

/* Texts for free(); NULL: no memory. */
typedef struct filling {
  char *policy, *style, *script, *about;
} filling;

static void free_filling(filling *fill) {
  free(fill->policy);
  free(fill->style);
  free(fill->script);
  free(fill->about);
}

static bool begins(const char *line, const char *end, const char *word) {
  return (size_t)(end - line) >= strlen(word) && !memcmp(line, word, strlen(word));
}

/* Lines without what only modules in files of their own need: imports, and the word export. */
static void print_lines(FILE *out, const unsigned char *from, const unsigned char *to) {
  const char *end = (const char *)to;
  for (const char *line = (const char *)from; line < end;) {
    const char *next = memchr(line, '\n', (size_t)(end - line));
    next = next ? next + 1 : end;
    if (begins(line, next, "export "))
      line += strlen("export ");
    if (!begins(line, next, "import "))
      fwrite(line, 1, (size_t)(next - line), out);
    line = next;
  }
}

/* Files of the demo page, and one of the gallery's behind them. For free(); NULL: no memory. */
static char *join_with(const char *const *paths, int n, const unsigned char *own,
                       const unsigned char *own_end) {
  char *text = NULL;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (!out)
    return NULL;
  for (int i = 0; i < n; i++) {
    const struct asset *file = asset_find(paths[i]);
    print_lines(out, file->begin, file->end);
  }
  print_lines(out, own, own_end);
  if (!fclose(out))
    return text;
  free(text);
  return NULL;
}

/* As Content-Security-Policy names a text that may stand in the page: base64 of its SHA-256. */
static void print_hash(FILE *out, const char *text) {
  char hex[65], base64[64] = "";
  uint8_t digest[32];
  cam_sha256_hex((const uint8_t *)text, strlen(text), hex);
  for (size_t i = 0; i < sizeof digest; i++) {
    const char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};
    digest[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
  cam_base64_encode(digest, sizeof digest, base64);
  fprintf(out, "'sha256-%s'", base64);
}

static char *policy_of(const char *script, const char *style) {
  char *text = NULL;
  size_t n;
  FILE *out = open_memstream(&text, &n);
  if (!out)
    return NULL;
  fputs("default-src 'none'; base-uri 'none'; form-action 'none'; script-src ", out);
  print_hash(out, script);
  fputs("; style-src ", out);
  print_hash(out, style);
  if (!fclose(out))
    return text;
  free(text);
  return NULL;
}

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
  char *escaped = gallery_escape(text);
  json_free(tree);
  free(text);
  return escaped;
}

static bool fill_in(filling *fill, const cam_model_info *model, const cam_params *params) {
  *fill = (filling){
      .style = join_with(styles, STYLES, asset_gallery_style_begin, asset_gallery_style_end),
      .script = join_with(modules, MODULES, asset_gallery_script_begin, asset_gallery_script_end),
      .about = about_of(model, params)};
  if (fill->style && fill->script)
    fill->policy = policy_of(fill->script, fill->style);
  return fill->policy && fill->about;
}

/* ---- the page ---- */

static const char *page_text(void) { return (const char *)asset_gallery_page_begin; }

/* What follows the photos. */
static const char *page_tail(void) {
  static const char word[] = "{{photos}}";
  return strstr(page_text(), word) + sizeof word - 1;
}

/* All before the photos. */
static void print_page_head(FILE *out, const filling *fill) {
  const struct {
    const char *word, *text;
  } words[] = {{"{{policy}}", fill->policy},
               {"{{style}}", fill->style},
               {"{{script}}", fill->script},
               {"{{about}}", fill->about}};
  const char *at = page_text();
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    const char *word = strstr(at, words[i].word);
    fwrite(at, 1, (size_t)(word - at), out);
    fputs(words[i].text, out);
    at = word + strlen(words[i].word);
  }
  const char *photos = strstr(at, "{{photos}}");
  fwrite(at, 1, (size_t)(photos - at), out);
}

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
  filling fill;
  if (fill_in(&fill, model, params))
    print_page_head(page->file, &fill);
  else
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for the gallery");
  free_filling(&fill);
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
  fputs(page_tail(), file);
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
