/* cli_evaluate.c - camserve evaluate: what a model says of photos whose classes are known ->
 * figures on a terminal, as JSON, and as a report. Here flags become terms (evaluation.h), and the
 * end an exit code. Thread: main. */
#include "cli.h"
#include "interrupt.h"
#include "photoset_read.h"
#include "report_page.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Rows of its options in server/cli/main.c. */
enum { REPORT, FORCE, JSON, RESIZE };

typedef struct evaluate_session {
  const cli *arguments;
  cam_model *model;
  cam_context *context;
  photoset photos;
  evaluation_terms terms;
  report about;
  report_figures figures;
  report_folder folder;
} evaluate_session;

static cam_code load_for_evaluation(evaluate_session *s, cam_error *error) {
  config settings = s->arguments->config; /* its texts stay theirs */
  const char *resize = s->arguments->options[RESIZE];
  request_params given;
  settings.model = s->arguments->operands[0];
  cam_code code = cli_load(&settings, &s->model, error);
  params_init(&given);
  if (!code && resize)
    code = params_set(&given, "resize", resize, error);
  if (!code)
    code = params_resolve(&given, s->model, error);
  if (code) {
    cli_name_flag(error);
    return code;
  }
  const cam_limits limits = config_limits(&settings);
  s->about.model = cam_model_get_info(s->model);
  const int threads = config_threads(&settings);
  code = cam_context_create(s->model, threads, &limits, &s->context, error);
  s->terms = evaluation_terms_of(s->about.model, s->context, threads,
                                 (size_t)settings.max_body_bytes);
  s->terms.params = given.cam;
  return code;
}

/* What of DATA is no labelled photo. */
static void say_passed(photoset *set, const char *data) {
  char words[PASSED_WORDS_MAX];
  if (set->has_parts)
    fprintf(stderr, "camserve: %s has train/ and val/: val/ is looked at\n", data);
  if (set->loose)
    fprintf(stderr, "camserve: %lld photo%s beside the folders of classes passed over\n",
            (long long)set->loose, cli_plural((int)(set->loose > 1) + 1));
  if (set->others.files)
    fprintf(stderr, "camserve: %lld file%s passed over: %s\n", (long long)set->others.files,
            cli_plural((int)(set->others.files > 1) + 1), passed_over_words(&set->others, words));
}

static cam_code find_photos(evaluate_session *s, cam_error *error) {
  photo_part part = PART_COUNT;
  s->about.data = s->arguments->operands[1];
  if (photoset_open(s->about.data, s->model, &s->photos, error))
    return error->code;
  say_passed(&s->photos, s->about.data);
  if (s->photos.has_parts)
    part = PART_VAL;
  return report_answers_take(&s->about.answers, &s->photos, part, s->about.model, error);
}

static cam_code say_figures(evaluate_session *s, cam_error *error) {
  if (!s->arguments->options[JSON]) {
    report_print(stdout, &s->about, &s->figures);
    return CAM_OK;
  }
  char *text = report_json(&s->about, &s->figures, true);
  if (!text)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the answer");
  puts(text);
  free(text);
  return CAM_OK;
}

static cam_code run_evaluation(evaluate_session *s, cam_error *error) {
  const char *folder = s->arguments->options[REPORT];
  if (!interrupt_open())
    return cam_fail(error, CAM_E_IO, "no descriptor for signals: %s", strerror(errno));
  cam_code code = load_for_evaluation(s, error);
  if (!code)
    code = find_photos(s, error);
  if (!code && folder)
    code = report_folder_open(&s->folder, folder, s->arguments->options[FORCE] != NULL, error);
  if (!code)
    code = report_make(&s->terms, &s->about, &s->folder, &s->figures, error);
  if (!code)
    code = say_figures(s, error);
  if (!code && folder)
    fprintf(stderr, "camserve: the report is %s/index.html\n", s->folder.path);
  return code;
}

int cli_evaluate(const cli *arguments) {
  evaluate_session s = {.arguments = arguments, .folder = {.descriptor = -1}};
  cam_error error = {0};
  int exit_code = EXIT_DONE;
  if (run_evaluation(&s, &error))
    exit_code = cli_fail(NULL, &error);
  if (interrupt_signal())
    exit_code = 128 + interrupt_signal();
  report_folder_drop(&s.folder);
  report_figures_free(&s.figures);
  report_answers_free(&s.about.answers);
  photoset_free(&s.photos);
  cam_context_free(s.context);
  cam_model_free(s.model);
  return exit_code;
}
