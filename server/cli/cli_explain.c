/* cli_explain.c - camserve explain: photos in files, folders and lists -> a table and overlays
 * beside them, or the JSON of POST /cam, or a line of it for each photo, or a gallery. Here flags
 * become the terms of a run (explain_run.h), and its end an exit code. Thread: main. */
#include "cli.h"
#include "explain_run.h"
#include "interrupt.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Rows of its options in server/cli/main.c. */
enum {
  JSON,
  OUTPUT,
  LINES,
  PATHS_FROM,
  NUL_BEHIND,
  RESUME,
  KEEP_GOING,
  OUTPUT_DIR,
  SHOW_INPUT,
  HTML
};

/* What a gallery shows at first. */
enum { GALLERY_LABELS = 5 };
static const float GALLERY_ALPHA = 0.8f;

typedef struct session {
  const cli *arguments;
  cam_model *model;
  cam_context *context;
  explain_run run;
} session;

static bool is_given(const session *s, int option) { return s->arguments->options[option] != NULL; }

/* ---- what the flags of this command forbid together ---- */

static cam_code forbid(cam_error *error, const char *what) {
  return cam_fail(error, CAM_E_PARAMETER, "%s", what);
}

static cam_code check_input(const session *s, cam_error *error) {
  const cli *arguments = s->arguments;
  const char *list = arguments->options[PATHS_FROM];
  int n_stdin = list && !strcmp(list, "-");
  for (int i = 0; i < arguments->n_operands; i++)
    n_stdin += !strcmp(arguments->operands[i], "-");
  if (n_stdin > 1)
    return cam_fail(error, CAM_E_PARAMETER,
                    "\"-\" (standard input) is given %d times; allowed is once", n_stdin);
  if (!arguments->n_operands && !list)
    return cam_fail(error, CAM_E_PARAMETER, "%s is missing; usage: camserve explain [FLAG]... %s",
                    arguments->command->operands, arguments->command->operands);
  if (is_given(s, NUL_BEHIND) && !list)
    return forbid(error, "--null: is about the list of --paths-from, which is missing");
  return CAM_OK;
}

static cam_code check_shown_input(const session *s, cam_error *error) {
  const char *path = s->arguments->options[SHOW_INPUT];
  if (!path)
    return CAM_OK;
  if (photo_source_may_have(&s->run.source, 2))
    return forbid(error, "--show-input: takes one photo, not several, a folder or a list");
  if (!strcmp(path, "-"))
    return forbid(error, "--show-input: takes the name of a file, not \"-\"");
  const size_t n = strlen(path);
  if (n < 5 || strcasecmp(path + n - 4, ".png"))
    return cam_fail(error, CAM_E_PARAMETER, "--show-input %.80s: takes a name that ends in .png",
                    path);
  if (!picture_may_be_png(path))
    return cam_fail(error, CAM_E_IO, "--show-input %.80s: not a PNG, so it is left as it is", path);
  return CAM_OK;
}

static cam_code check_gallery(const session *s, cam_error *error) {
  static const int others[] = {JSON, LINES, OUTPUT, OUTPUT_DIR, SHOW_INPUT, RESUME};
  const char *path = s->arguments->options[HTML];
  if (!path)
    return CAM_OK;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (is_given(s, others[i]))
      return cam_fail(error, CAM_E_PARAMETER, "--html and %s: allowed is one of them",
                      s->arguments->command->options[others[i]].name);
  if (!strcmp(path, "-"))
    return forbid(error, "--html: takes the name of a file, not \"-\"");
  for (int i = 0; i < s->arguments->n_operands; i++)
    if (picture_is_same_file(path, s->arguments->operands[i]))
      return cam_fail(error, CAM_E_PARAMETER, "--html %.80s: is one of the photos", path);
  return CAM_OK;
}

static cam_code check_output(const session *s, cam_error *error) {
  const char *output = s->arguments->options[OUTPUT];
  const bool into_file = output && strcmp(output, "-");
  if (is_given(s, JSON) && is_given(s, LINES))
    return forbid(error, "--json and --jsonl: allowed is one of them");
  if (is_given(s, RESUME) && (!is_given(s, LINES) || !into_file))
    return forbid(error, "--resume: goes on with the lines in a file: --jsonl --output FILE");
  if (is_given(s, LINES) || !output)
    return CAM_OK;
  if (is_given(s, OUTPUT_DIR))
    return forbid(error, "-o and --output-dir: allowed is one of them, unless -o is for --jsonl");
  if (photo_source_may_have(&s->run.source, 2))
    return cam_fail(error, CAM_E_PARAMETER,
                    "-o: takes one photo, not %s; without it each overlay is NAME.cam.png, and "
                    "--output-dir names a folder for them",
                    s->arguments->n_operands > 1 ? "several" : "a folder or list");
  if (is_given(s, JSON) && !into_file)
    return forbid(error, "-o -: standard output has the JSON already; name a file");
  if (into_file && picture_is_same_file(output, s->arguments->operands[0]))
    return cam_fail(error, CAM_E_PARAMETER, "-o %.80s: is the photo itself", output);
  return CAM_OK;
}

/* ---- before and after ---- */

enum { PICTURES = CAM_INCLUDE_OVERLAY | CAM_INCLUDE_HEATMAP };

static void choose_form(session *s) {
  explain_terms *terms = &s->run.terms;
  if (is_given(s, HTML))
    terms->form = FORM_GALLERY;
  else if (is_given(s, LINES))
    terms->form = FORM_LINE;
  else if (!is_given(s, JSON))
    terms->form = FORM_TABLE;
  else if (photo_source_may_have(&s->run.source, 2))
    terms->form = FORM_ITEM;
  else
    terms->form = FORM_ONE;
  terms->show_input = s->arguments->options[SHOW_INPUT];
  terms->place.folder = s->arguments->options[OUTPUT_DIR];
  if (terms->form != FORM_LINE)
    terms->place.file = s->arguments->options[OUTPUT];
  if (terms->place.file && !strcmp(terms->place.file, "-"))
    s->run.table = stderr;
}

/* The picture's format: --format, else as -o ends. */
static cam_code choose_picture(session *s, const request_params *given, cam_error *error) {
  explain_terms *terms = &s->run.terms;
  bool named = false;
  cam_picture picture;
  if (terms->place.file && picture_of_name(terms->place.file, &named, &picture, error))
    return error->code;
  if (named && params_given(given, "format") && picture != terms->params.picture)
    return cam_fail(error, CAM_E_PARAMETER, "-o %.60s: --format is %s", terms->place.file,
                    cam_picture_name(terms->params.picture));
  if (named)
    terms->params.picture = picture;
  terms->place.picture = terms->params.picture;
  return CAM_OK;
}

/* What is included, and what of it becomes files: all that is asked for must go somewhere. */
static cam_code choose_pictures(session *s, const request_params *given, cam_error *error) {
  explain_terms *terms = &s->run.terms;
  cam_params *params = &terms->params;
  if (terms->form == FORM_LINE && !params_given(given, "include")) {
    params->include = 0;
    if (terms->place.folder)
      params->include = CAM_INCLUDE_OVERLAY;
  }
  const unsigned pictures = params->include & PICTURES;
  if (terms->form == FORM_TABLE && (params->include & ~PICTURES))
    return forbid(error, "--include: numbers need --json or --jsonl; pictures alone are files");
  if (!pictures && (terms->place.file || terms->place.folder))
    return cam_fail(error, CAM_E_PARAMETER, "%s: --include leaves the pictures out",
                    terms->place.file ? "-o" : "--output-dir");
  if (terms->place.file && pictures == PICTURES && terms->form == FORM_TABLE)
    return forbid(error, "-o: takes one picture, and --include asks for two");
  if (terms->place.folder || terms->form == FORM_TABLE)
    terms->into_files = pictures;
  else if (terms->place.file && (pictures & CAM_INCLUDE_OVERLAY))
    terms->into_files = CAM_INCLUDE_OVERLAY;
  else if (terms->place.file)
    terms->into_files = pictures;
  terms->said = *params;
  if (terms->place.folder)
    terms->said.include &= ~PICTURES;
  return choose_picture(s, given, error);
}

/* What the page draws by itself cannot be asked for; what it shows at first can. */
static cam_code choose_gallery(session *s, const request_params *given, cam_error *error) {
  static const char *const pictures[] = {"include", "size", "format"};
  cam_params *params = &s->run.terms.params;
  for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
    if (params_given(given, pictures[i]))
      return cam_fail(error, CAM_E_PARAMETER, "--%s: is about pictures, which --html has none of",
                      pictures[i]);
  params->include = 0;
  if (!params_given(given, "top_k"))
    params->top_k = GALLERY_LABELS;
  if (!params_given(given, "scale"))
    params->scale = s->run.terms.model->scale;
  if (!params_given(given, "alpha"))
    params->alpha = GALLERY_ALPHA;
  if (!params_given(given, "colormap") && !params->has_minus)
    params->colormap = CAM_INFERNO;
  return CAM_OK;
}

static cam_code open_input(session *s, cam_error *error) {
  explain_run *run = &s->run;
  char list_end = '\n';
  if (is_given(s, NUL_BEHIND))
    list_end = '\0';
  run->table = stdout;
  run->list = s->arguments->options[PATHS_FROM];
  run->resume = is_given(s, RESUME);
  run->keep_going = is_given(s, KEEP_GOING);
  run->threads = config_threads(&s->arguments->config);
  cam_code code = check_input(s, error);
  if (!code)
    code = photo_source_open(&run->source, s->arguments->operands, s->arguments->n_operands,
                             run->list, list_end, error);
  if (!code)
    code = check_output(s, error);
  if (!code)
    code = check_shown_input(s, error);
  if (!code)
    code = check_gallery(s, error);
  if (!code)
    choose_form(s);
  return code;
}

static cam_code open_model(session *s, cam_error *error) {
  const config *settings = &s->arguments->config;
  explain_terms *terms = &s->run.terms;
  const cam_limits limits = config_limits(settings);
  request_params given;
  cam_code code = cli_load(settings, &s->model, error);
  if (!code)
    code = cli_params(s->arguments, s->model, &given, error);
  if (code)
    return code;
  terms->params = given.cam;
  terms->model = cam_model_get_info(s->model);
  terms->max_bytes = (size_t)settings->max_body_bytes;
  request_id_set(terms->request_id, NULL);
  if (terms->form == FORM_GALLERY)
    code = choose_gallery(s, &given, error);
  else
    code = choose_pictures(s, &given, error);
  if (!code)
    code = cam_context_create(s->model, s->run.threads, &limits, &s->context, error);
  return code;
}

/* Lines of two models in one file would be told apart by nobody. */
static cam_code check_lines(const explain_run *run, cam_error *error) {
  const char *before = run->lines.model, *now = run->terms.model->name;
  if (!*before || !strncmp(before, now, sizeof run->lines.model - 1))
    return CAM_OK;
  return cam_fail(error, CAM_E_IO, "%.60s: its last lines are by %.30s, not by %.30s",
                  run->lines.name, before, now);
}

static cam_code open_output(session *s, cam_error *error) {
  explain_run *run = &s->run;
  const char *output = s->arguments->options[OUTPUT];
  const bool into_file = output && strcmp(output, "-");
  if (!interrupt_open())
    return cam_fail(error, CAM_E_IO, "no descriptor for signals: %s", strerror(errno));
  const char *html = s->arguments->options[HTML];
  progress_begin(&run->progress, html || into_file || !isatty(STDOUT_FILENO));
  if (html)
    return gallery_open(&run->gallery, html, run->terms.model, &run->terms.params, error);
  if (run->terms.form != FORM_LINE)
    return CAM_OK;
  if (!into_file)
    output = "-";
  if (line_file_open(&run->lines, output, run->resume, &run->there, &run->n_there, error))
    return error->code;
  return check_lines(run, error);
}

/* Whole or not at all: what a signal or an error has ended is no gallery. */
static void finish_gallery(explain_run *run) {
  if (run->terms.form != FORM_GALLERY || run->output_error.code || run->source_error.code)
    return;
  if (interrupt_signal())
    fprintf(stderr, "camserve: %s is not written\n", run->gallery.path);
  else if (!run->files)
    cam_fail(&run->output_error, CAM_E_NOT_FOUND, "--html %.80s: no photos, so it is not written",
             run->gallery.path);
  else
    gallery_finish(&run->gallery, &run->output_error);
}

static int exit_code_of(const explain_run *run) {
  const int number = interrupt_signal();
  if (run->output_error.code && run->output_errno == EPIPE)
    return 128 + SIGPIPE; /* nobody reads on: there is nobody to tell */
  if (run->output_error.code)
    return cli_fail(NULL, &run->output_error);
  if (run->source_error.code)
    return cli_fail(NULL, &run->source_error);
  if (number)
    return 128 + number;
  if (run->failed && !run->keep_going)
    return EXIT_FAILED;
  return EXIT_DONE;
}

static int run_session(session *s) {
  explain_run *run = &s->run;
  cam_error error = {0};
  cam_code code = open_input(s, &error);
  if (!code)
    code = open_model(s, &error);
  if (!code)
    code = open_output(s, &error);
  if (code)
    return cli_fail(NULL, &error);
  explain_run_all(run, s->context);
  if (line_file_close(&run->lines, &error) && !run->output_error.code)
    run->output_error = error;
  finish_gallery(run);
  return exit_code_of(run);
}

int cli_explain(const cli *arguments) {
  session *s = calloc(1, sizeof *s);
  if (!s)
    return EXIT_FAILED;
  s->arguments = arguments;
  s->run.source.list.descriptor = s->run.lines.descriptor = -1;
  const int exit_code = run_session(s);
  photo_source_close(&s->run.source);
  line_file_close(&s->run.lines, NULL);
  gallery_drop(&s->run.gallery);
  name_set_free(&s->run.there);
  cam_context_free(s->context);
  cam_model_free(s->model);
  free(s);
  return exit_code;
}
