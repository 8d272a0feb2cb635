/* gallery_photo.c - what a gallery holds of one photo, in two pieces of JSON, each in a <script> of
 * a type that no browser runs: a small one that lists and sorting need, and behind it the JPEG and
 * the class maps, which the page reads when the photo comes into view. */
#include "cam_encoding.h"
#include "cam_json.h"
#include "gallery.h"
#include "one_page.h"
#include "wire/file_name.h"
#include "wire/problem.h"
#include <stdlib.h>

static void add_rectangle(json *item, const cam_box *box) {
  if (!box->width)
    return;
  json *sides = json_add_array(item, "box");
  json_add_int(sides, NULL, box->x);
  json_add_int(sides, NULL, box->y);
  json_add_int(sides, NULL, box->width);
  json_add_int(sides, NULL, box->height);
}

static void add_labels(json *tree, const cam_model_info *model, const cam_result *result) {
  json *image = json_add_object(tree, "image");
  json_add_int(image, "width", result->width);
  json_add_int(image, "height", result->height);
  json *labels = json_add_array(tree, "predictions");
  for (int i = 0; i < result->count; i++) {
    const cam_prediction *p = &result->predictions[i];
    json *item = json_add_object(labels, NULL);
    json_add_int(item, "rank", p->rank);
    json_add_int(item, "class_id", p->class_id);
    json_add_text(item, "label", model->class_list[p->class_id].label);
    if (*model->class_list[p->class_id].wnid)
      json_add_text(item, "wnid", model->class_list[p->class_id].wnid);
    json_add_number(item, "probability", p->probability);
    add_rectangle(item, &p->box);
  }
}

/* The small piece, escaped. For free(); NULL: no memory. */
static char *summary_of(const cam_model_info *model, const char *path, const cam_task *task) {
  json *tree = json_new_object();
  file_name_add(tree, path);
  if (task->error.code)
    json_add_tree(tree, "error", problem_tree(&task->error, ""));
  else
    add_labels(tree, model, &task->result);
  char *text = json_print(tree, true, NULL);
  char *escaped = one_page_escape(text);
  json_free(tree);
  free(text);
  return escaped;
}

/* Numbers and base64 alone, which need no escapes. Four digits of a map are more than 256 colours
 * show. */
static void print_pixels(FILE *out, const cam_result *result, const char *jpeg) {
  const int cells = result->map_width * result->map_height;
  fprintf(out, "{\"width\":%d,\"height\":%d,\"maps\":[", result->map_width, result->map_height);
  for (int i = 0; i < result->count; i++)
    for (int k = 0; k < cells; k++) {
      const char *before = ",";
      if (!k)
        before = i ? "],[" : "[";
      fprintf(out, "%s%.4g", before, (double)result->predictions[i].map[k]);
    }
  fprintf(out, "]],\"jpeg\":\"%s\"}", jpeg);
}

static char *base64_text(const cam_bytes *bytes) {
  const size_t n = cam_base64_length(bytes->size);
  char *out = malloc(n + 1);
  if (!out)
    return NULL;
  cam_base64_encode(bytes->data, bytes->size, out);
  out[n] = '\0';
  return out;
}

static void print_photo(FILE *out, const char *summary, const cam_result *result,
                        const char *pixels) {
  fprintf(out, "<script type=\"application/json\" class=\"photo\">%s</script>\n", summary);
  if (!pixels)
    return;
  fputs("<script type=\"application/json\">", out);
  print_pixels(out, result, pixels);
  fputs("</script>\n", out);
}

char *gallery_photo_text(const cam_model_info *model, const char *path, const cam_task *task,
                         const cam_bytes *jpeg, size_t *n) {
  const bool failed = task->error.code != CAM_OK;
  char *text = NULL, *pixels = NULL, *summary = summary_of(model, path, task);
  if (!failed)
    pixels = base64_text(jpeg);
  FILE *out = NULL;
  if (summary && (failed || pixels))
    out = open_memstream(&text, n);
  if (out) {
    print_photo(out, summary, &task->result, pixels);
    if (fclose(out)) {
      free(text);
      text = NULL;
    }
  }
  free(pixels);
  free(summary);
  return text;
}
