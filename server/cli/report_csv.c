/* report_csv.c - report.h: predictions.csv as RFC 4180 has it: lines end in CR LF, a cell with a
 * comma, a quote or a line's end stands in quotes, and quotes within it are doubled. */
#include "report.h"
#include <string.h>

static void print_csv_cell(FILE *out, const char *text) {
  if (!strpbrk(text, ",\"\r\n") && *text != ' ' && (!*text || text[strlen(text) - 1] != ' ')) {
    fputs(text, out);
    return;
  }
  putc('"', out);
  for (; *text; text++) {
    if (*text == '"')
      putc('"', out);
    putc(*text, out);
  }
  putc('"', out);
}

static void print_label(FILE *out, const cam_model_info *model, int class_id) {
  putc(',', out);
  print_csv_cell(out, model->class_list[class_id].label);
}

void report_csv(FILE *out, const report *about) {
  const report_answers *answers = &about->answers;
  fputs("path,class,predicted,probability,class_id,predicted_id,class_probability,class_rank,error"
        "\r\n",
        out);
  for (int i = 0; i < answers->n; i++) {
    const report_photo *photo = &answers->photos[i];
    print_csv_cell(out, photo->path);
    print_label(out, about->model, photo->class_id);
    if (photo->error.code) {
      fprintf(out, ",,,%d,,,,", photo->class_id);
      print_csv_cell(out, photo->error.detail);
    } else {
      print_label(out, about->model, photo->given);
      fprintf(out, ",%.9g,%d,%d,%.9g,%d,", (double)photo->probability, photo->class_id,
              photo->given, (double)photo->of_class, photo->rank);
    }
    fputs("\r\n", out);
  }
}
