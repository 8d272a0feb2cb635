/* one_page.c - one_page.h. */
#include "one_page.h"
#include "cam_encoding.h"
#include "http/assets.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
/* X(symbol, file): what the binary holds of static/ and nothing serves. */
#define PAGE_FILES(X)                              \
  X(page_tiles,     "gallery/tiles.js")            \
  X(page_large,     "gallery/large.js")            \
  X(gallery_page,   "gallery/page.html")           \
  X(gallery_style,  "gallery/gallery.css")         \
  X(gallery_script, "gallery/gallery.js")          \
  X(report_page,    "report/page.html")            \
  X(report_style,   "report/report.css")           \
  X(report_charts,  "report/charts.js")            \
  X(report_figures, "report/figures.js")           \
  X(report_script,  "report/report.js")
/* clang-format on */
#define X(symbol, file) \
  extern const unsigned char asset_##symbol##_begin[], asset_##symbol##_end[]; \
  __asm__(".section .rodata\n.balign 16\nasset_" #symbol "_begin:\n.incbin \"static/" file \
          "\"\nasset_" #symbol "_end:\n.byte 0\n.previous\n");
PAGE_FILES(X)
#undef X

typedef struct page_file {
  const char *path;
  const char *begin, *end; /* *end is 0 */
} page_file;

#define X(symbol, file) \
  {file, (const char *)asset_##symbol##_begin, (const char *)asset_##symbol##_end},
static const page_file own_files[] = {PAGE_FILES(X)};
#undef X

/* One of own_files, else of the demo page's. */
static page_file file_of(const char *path) {
  for (size_t i = 0; i < sizeof own_files / sizeof *own_files; i++)
    if (!strcmp(own_files[i].path, path))
      return own_files[i];
  char url[64];
  snprintf(url, sizeof url, "/assets/%s", path);
  const struct asset *asset = asset_find(url);
  return (page_file){path, (const char *)asset->begin, (const char *)asset->end};
}

/* ---- what the words stand for ---- */

static bool begins(const char *line, const char *end, const char *word) {
  return (size_t)(end - line) >= strlen(word) && !memcmp(line, word, strlen(word));
}

/* Lines without what only modules in files of their own need: imports, and the word export. */
static void print_lines(FILE *out, page_file file) {
  for (const char *line = file.begin; line < file.end;) {
    const char *next = memchr(line, '\n', (size_t)(file.end - line));
    next = next ? next + 1 : file.end;
    if (begins(line, next, "export "))
      line += strlen("export ");
    if (!begins(line, next, "import "))
      fwrite(line, 1, (size_t)(next - line), out);
    line = next;
  }
}

/* Of a list of files. For free(); NULL: no memory. */
static char *join_page_files(const char *const *paths) {
  char *text = NULL;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (!out)
    return NULL;
  for (; *paths; paths++)
    print_lines(out, file_of(*paths));
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

/* ---- the page ---- */

/* Texts for free(). */
typedef struct page_filling {
  char *style, *script, *about;
} page_filling;

static void print_policy(FILE *out, const page_filling *fill) {
  fputs("default-src 'none'; base-uri 'none'; form-action 'none'; script-src ", out);
  print_hash(out, fill->script);
  fputs("; style-src ", out);
  print_hash(out, fill->style);
}

/* Prints the page up to the word, which begins at the result. */
static const char *print_up_to(FILE *out, const char *from, const char *word) {
  const char *at = strstr(from, word);
  fwrite(from, 1, (size_t)(at - from), out);
  return at;
}

static void print_filled(FILE *out, const one_page *page, const page_filling *fill) {
  const struct {
    const char *word, *text;
  } words[] = {
      {"{{style}}", fill->style}, {"{{script}}", fill->script}, {"{{about}}", fill->about}};
  const char *at = print_up_to(out, file_of(page->text).begin, "{{policy}}");
  print_policy(out, fill);
  at += strlen("{{policy}}");
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    at = print_up_to(out, at, words[i].word);
    fputs(words[i].text, out);
    at += strlen(words[i].word);
  }
  print_up_to(out, at, "{{photos}}");
}

bool one_page_begin(FILE *out, const one_page *page, const char *about) {
  page_filling fill = {.style = join_page_files(page->styles),
                       .script = join_page_files(page->scripts),
                       .about = one_page_escape(about)};
  const bool filled = fill.style && fill.script && fill.about;
  if (filled)
    print_filled(out, page, &fill);
  free(fill.style);
  free(fill.script);
  free(fill.about);
  return filled;
}

void one_page_end(FILE *out, const one_page *page) {
  static const char word[] = "{{photos}}";
  fputs(strstr(file_of(page->text).begin, word) + sizeof word - 1, out);
}

char *one_page_escape(const char *text) {
  static const char less[] = "\\u003c";
  size_t n = 1;
  for (const char *c = text; c && *c; c++)
    n += *c == '<' ? sizeof less - 1 : 1;
  char *out = text ? malloc(n) : NULL, *to = out;
  if (!out)
    return NULL;
  for (; *text; text++) {
    if (*text == '<')
      to = mempcpy(to, less, sizeof less - 1);
    else
      *to++ = *text;
  }
  *to = '\0';
  return out;
}
